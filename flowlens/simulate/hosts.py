"""What two hosts say to each other: the packets of a conversation, as far as the network lets them through."""

from __future__ import annotations

from math import ceil
from typing import Protocol

from flowlens.simulate.capture import FIN, RST, SYN, SYN_ACK, Burst
from flowlens.simulate.network import Link
from flowlens.simulate.world import ICMP, ICMPV6, TCP, Conversation

__all__ = ["play"]


class _Send(Protocol):
    def __call__(self, at: float, packets: int, octets: int, flags: int = 0, *, span: float = 0.0) -> bool: ...


# Linux repeats a SYN after 1, 3, 7, ... seconds and a SYN-ACK five times in the same rhythm. The first data packets of
# a connection that broke are repeated much faster; six tries stand for them.
_SYN_TIMES = (0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0)
_SYN_ACK_TIMES = (1.0, 3.0, 7.0, 15.0, 31.0)
_DATA_TIMES = (0.0, 0.3, 0.9, 2.1, 4.5, 9.3)

# Sizes at the IP layer, with TCP timestamps. IPv6 headers are 20 bytes longer.
_SYN_BYTES, _ACK_BYTES, _RST_BYTES, _UDP_HEADER, _ECHO_BYTES = 60, 52, 40, 28, 84
_IPV6_EXTRA = 20
_INTERNET_MTU, _VPC_MTU = 1_500, 9_001
_VPC_ROUND_TRIP, _INTERNET_ROUND_TRIP = 0.001, 0.04


def play(conversation: Conversation, link: Link) -> None:
    """Let two hosts have their conversation over a link."""
    if conversation.protocol == TCP:
        _Tcp(conversation, link).play()
    else:
        _play_datagrams(conversation, link)


def _play_datagrams(conversation: Conversation, link: Link) -> None:
    """Play UDP, ICMP echo and any other protocol: requests, and answers to those that arrive."""
    extra = _IPV6_EXTRA if ":" in link.route.request.src else 0
    count, start, span = conversation.exchanges, conversation.start, _span(conversation)
    if conversation.protocol in {ICMP, ICMPV6}:
        octets_up = octets_down = count * (_ECHO_BYTES + extra)
        answers = True
    else:
        octets_up = conversation.bytes_up + count * (_UDP_HEADER + extra)
        octets_down = conversation.bytes_down + count * (_UDP_HEADER + extra)
        answers = conversation.bytes_down > 0
    answers = answers and _answer(conversation, link) == "serve"
    there = Burst(start, span, count, octets_up)
    back = Burst(start + _round_trip(link), span, count, octets_down)
    # Rules that change let some of the datagrams pass, and only those are answered.
    counts = there.counts_between(link.edits)
    for up, down in zip(there.cut(counts), back.cut(counts), strict=True):
        if link.up(up) and answers:
            link.down(down)


def _span(conversation: Conversation) -> float:
    return conversation.duration if conversation.exchanges > 1 else 0.0


def _answer(conversation: Conversation, link: Link) -> str:
    return "silent" if link.route.dropped else conversation.answer


def _stays_inside(link: Link) -> bool:
    # Between two interfaces of the VPC a request passes both; else it passes one, or a NAT gateway's too.
    return len(link.route.forward) == 2


def _round_trip(link: Link) -> float:
    return _VPC_ROUND_TRIP if _stays_inside(link) else _INTERNET_ROUND_TRIP


class _Tcp:
    """One TCP connection, with the retransmissions that a refused packet causes."""

    def __init__(self, conversation: Conversation, link: Link) -> None:
        self._plan = conversation
        self._link = link
        self._rtt = _round_trip(link)
        extra = _IPV6_EXTRA if ":" in link.route.request.src else 0
        self._syn, self._ack, self._rst = _SYN_BYTES + extra, _ACK_BYTES + extra, _RST_BYTES + extra
        self._segment = (_VPC_MTU if _stays_inside(link) else _INTERNET_MTU) - self._ack

    def play(self) -> None:
        opened = self._open()
        if opened is None:
            return
        plan = self._plan
        if plan.close == "reset" and plan.bytes_up == plan.bytes_down == 0:
            # A half-open scan: the SYN-ACK tells enough.
            end = opened
        elif plan.pause:
            half = plan.duration / 2
            if not self._talk(opened, half, share=0.5):
                return
            again = opened + half + plan.pause
            if not any(self._down(again + wait, 1, self._ack + 1) for wait in _DATA_TIMES):
                return
            if not self._talk(again + self._rtt, half, share=0.5):
                return
            end = again + half + 2 * self._rtt
        else:
            if not self._talk(opened, plan.duration, share=1.0):
                return
            end = opened + plan.duration + self._rtt
        self._close(end)

    def _open(self) -> float | None:
        """Shake hands; the time from which data can flow, or None when there is no connection."""
        plan, answer = self._plan, _answer(self._plan, self._link)
        arrived: list[float] = []
        for wait in _SYN_TIMES[: plan.syn_retries + 1]:
            at = plan.start + wait
            if not self._up(at, 1, self._syn, SYN):
                continue
            arrived.append(at)
            reply = at + self._rtt
            if answer == "refuse" and self._down(reply, 1, self._rst, RST):
                self._link.close(reply)
                return None
            if answer == "serve" and self._down(reply, 1, self._syn, SYN_ACK):
                return reply
        if answer == "serve" and arrived:
            # Nobody heard the SYN-ACK: besides answering every repeated SYN, the responder repeats it by itself.
            for wait in _SYN_ACK_TIMES:
                self._down(arrived[0] + self._rtt + wait, 1, self._syn, SYN_ACK)
        return None

    def _talk(self, at: float, duration: float, *, share: float) -> bool:
        """Send the data of both sides, with an acknowledgement for every second segment of the other.

        False where rules changed so that nothing gets through any more: the hosts give up.
        """
        plan = self._plan
        up, down = int(plan.bytes_up * share), int(plan.bytes_down * share)
        rounds = ceil(plan.exchanges * share)
        segments_up = max(ceil(up / self._segment), min(rounds, up))
        segments_down = max(ceil(down / self._segment), min(rounds, down))
        # The acknowledgement that ends the handshake goes with the first data.
        packets_up = 1 + segments_up + segments_down // 2
        packets_down = segments_down + (segments_up + 1) // 2
        octets_up, octets_down = up + packets_up * self._ack, down + packets_down * self._ack
        return self._flows(self._up, at, packets_up, octets_up, duration) and (
            not packets_down or self._flows(self._down, at + self._rtt, packets_down, octets_down, duration)
        )

    def _flows(self, send: _Send, at: float, packets: int, octets: int, duration: float) -> bool:
        """Send data, and where rules change, find out with one packet whether it still gets through."""
        whole = Burst(at, duration if packets > 1 else 0.0, packets, octets)
        pieces = whole.cut(whole.counts_between(self._link.edits))
        first = next(pieces)
        if not send(first.at, first.packets, first.bytes, span=first.span):
            return False
        for piece in pieces:
            head, *rest = piece.cut((1, piece.packets - 1) if piece.packets > 1 else (1,))
            if not any(send(head.at + wait, 1, head.bytes) for wait in _DATA_TIMES):
                return False
            for others in rest:
                send(others.at, others.packets, others.bytes, span=others.span)
        return True

    def _close(self, at: float) -> None:
        plan = self._plan
        if plan.close == "reset":
            self._up(at, 1, self._rst, RST)
            closed = at
        else:
            closed = at + 2 * self._rtt
            # Nobody answers to a FIN that does not arrive, which happens where rules have changed.
            if not any(self._up(at + wait, 1, self._ack, FIN) for wait in _DATA_TIMES):
                return
            if not any(self._down(at + self._rtt + wait, 1, self._ack, FIN) for wait in _DATA_TIMES):
                return
            self._up(closed, 1, self._ack)
        self._link.close(closed + self._rtt)
        if plan.late is not None and not self._link.route.translated:
            # The answer to its FIN got lost, so the responder repeats it into a connection that is gone.
            self._down(closed + self._rtt + plan.late, 1, self._ack, FIN)

    def _up(self, at: float, packets: int, octets: int, flags: int = 0, *, span: float = 0.0) -> bool:
        return self._link.up(Burst(at, span if packets > 1 else 0.0, packets, octets, flags))

    def _down(self, at: float, packets: int, octets: int, flags: int = 0, *, span: float = 0.0) -> bool:
        return self._link.down(Burst(at, span if packets > 1 else 0.0, packets, octets, flags))
