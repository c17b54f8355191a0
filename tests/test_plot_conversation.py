"""The picture of a conversation: which records are drawn, where, and what is written beside them."""

from __future__ import annotations

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from formats import START, frame, record
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import flowlens as fl

CLIENT, SERVER = "10.0.0.5", "10.0.1.9"
AT_CLIENT, AT_SERVER = "eni-0c11e0000000000aa", "eni-05e4e4000000000bb"


def logged(*, there=True, at=AT_SERVER, way=None, **changes):
    """Return a record of client:50000 to server:443, or of its answer."""
    way = way or ("ingress" if there == (at == AT_SERVER) else "egress")
    src, dst = (CLIENT, SERVER) if there else (SERVER, CLIENT)
    ports = {"srcport": 50000, "dstport": 443} if there else {"srcport": 443, "dstport": 50000}
    ends = {"srcaddr": src, "dstaddr": dst, "pkt_srcaddr": src, "pkt_dstaddr": dst, **ports}
    flags = {"tcp_flags": 2 if there else 18}
    return record(interface_id=at, flow_direction=way, **{**ends, **flags, **changes})


OTHERS = [
    logged(srcport=50001),
    logged(srcaddr="10.0.0.6", pkt_srcaddr="10.0.0.6"),
    logged(protocol=17, tcp_flags=None),
    logged(start=START + 7200, end=START + 7201),
]
#: A network ACL refuses the answer.
REFUSED_REPLY = frame(
    logged(at=AT_CLIENT, packets=6),
    logged(packets=6),
    logged(there=False, packets=11, action="REJECT", start=START + 1),
    *OTHERS,
)


PING = [
    logged(protocol=1, srcport=0, dstport=0, tcp_flags=0),
    logged(there=False, protocol=1, srcport=0, dstport=0, tcp_flags=0, action="REJECT"),
]


def in_ipv6(df):
    """Return the same records between other addresses."""
    ends = [column for column in df.columns if column.endswith("addr")]
    words = {CLIENT: "2001:db8:1::5", SERVER: "2001:db8:2::9"}
    return fl.from_frame(df.astype(dict.fromkeys(ends, object)).replace(dict.fromkeys(ends, words)))


def diagnosed(df, **clauses) -> pd.Series:
    found = df.flow.diagnose(scope="all")
    for column, value in clauses.items():
        found = found[found[column] == value]
    (place,) = found.index
    return found.loc[place]


def lanes(ax: Axes) -> list[tuple[str, str]]:
    return [tuple(label.get_text().split("\nat ")) for label in ax.get_yticklabels()]


def bars(ax: Axes) -> list[tuple[str, str, float, float]]:
    """Return of each bar its action, lane, and its begin and length in seconds from the start, from top to bottom."""
    centres = list(ax.get_yticks())
    found = []
    for container in ax.containers:
        for bar in container:
            middle = bar.get_y() + bar.get_height() / 2
            lane = min(range(len(centres)), key=lambda number: abs(centres[number] - middle))
            begin = round(mdates.num2date(bar.get_x()).timestamp()) - START
            found.append((middle, container.get_label(), lanes(ax)[lane][0], begin, round(bar.get_width() * 86400, 1)))
    return [rest for _, *rest in sorted(found, key=lambda each: (each[0], each[3]))]


def notes(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def title(ax: Axes) -> list[str]:
    return ax.get_title(loc="left").split("\n")


def test_both_directions_are_drawn_at_every_interface_and_nothing_of_other_conversations():
    ax = REFUSED_REPLY.flow.plot.conversation(diagnosed(REFUSED_REPLY))
    assert lanes(ax) == [
        (f"request leaves {CLIENT}", AT_CLIENT),
        (f"request arrives at {SERVER}", AT_SERVER),
        (f"reply leaves {SERVER}", AT_SERVER),
    ]
    assert bars(ax) == [
        ["ACCEPT", f"request leaves {CLIENT}", 0, 59],
        ["ACCEPT", f"request arrives at {SERVER}", 0, 59],
        ["REJECT", f"reply leaves {SERVER}", 1, 58],
    ]
    assert sorted(notes(ax)) == ["11 packets, SYN-ACK", "6 packets, SYN", "6 packets, SYN"]


def test_the_title_says_who_asked_whom_and_the_verdict_with_its_certainty():
    ax = REFUSED_REPLY.flow.plot.conversation(diagnosed(REFUSED_REPLY))
    assert title(ax) == [
        f"{CLIENT}:50000 to {SERVER}:443 (TCP, https)",
        "Certain: the network ACL refused it, outbound (NACL_OUT)",
    ]
    assert ax.get_xlabel() == "UTC"


def test_the_first_lane_is_on_top():
    ax = REFUSED_REPLY.flow.plot.conversation(diagnosed(REFUSED_REPLY))
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_accepted_and_refused_differ_in_colour_and_hatch():
    ax = REFUSED_REPLY.flow.plot.conversation(diagnosed(REFUSED_REPLY))
    accepted, refused = (container[0] for container in ax.containers)
    assert [to_hex(bar.get_facecolor()) for bar in (accepted, refused)] == ["#0072b2", "#d55e00"]
    assert accepted.get_hatch() != refused.get_hatch()
    assert [label.get_text() for label in ax.get_legend().get_texts()] == ["ACCEPT", "REJECT"]


LOGS = {
    "all fields": REFUSED_REPLY,
    "no flags": REFUSED_REPLY.drop(columns="tcp_flags"),
    "default format": REFUSED_REPLY.drop(columns=["tcp_flags", "flow_direction", "pkt_srcaddr", "pkt_dstaddr"]),
    "one record": frame(logged(action="REJECT", end=START)),
    "IPv6": in_ipv6(REFUSED_REPLY),
    "ICMP": frame(*PING),
    "ICMP without ports": frame(*[{**each, "srcport": None, "dstport": None} for each in PING]),
}


@pytest.mark.parametrize("log", LOGS)
def test_a_scan_gives_the_same_picture(log, tmp_path):
    df = LOGS[log]
    df.flow.to_parquet(tmp_path)
    log = fl.scan(tmp_path)
    (place,) = (found := log.diagnose(scope="all")).index
    expected = df.flow.plot.conversation(diagnosed(df))
    ax = log.plot.conversation(found.loc[place])
    assert bars(ax)
    assert (lanes(ax), bars(ax), notes(ax), title(ax)) == (
        lanes(expected), bars(expected), notes(expected), title(expected),
    )  # fmt: skip


def test_it_draws_on_the_axes_it_is_given_and_makes_no_figure():
    figure, (left, right) = plt.subplots(1, 2)
    row = diagnosed(REFUSED_REPLY)
    assert REFUSED_REPLY.flow.plot.conversation(row, ax=right) is right
    assert not left.patches
    assert plt.get_fignums() == [figure.number]


def test_a_record_of_one_second_can_be_seen():
    df = frame(logged(action="REJECT", end=START, packets=1))
    ax = df.flow.plot.conversation(diagnosed(df))
    ((action, lane, begin, length),) = bars(ax)
    assert (action, lane, begin) == ("REJECT", f"request arrives at {SERVER}", 0)
    left, right = ax.get_xlim()
    assert length >= 0.004 * (right - left) * 86400 > 0
    assert notes(ax) == ["1 packet, SYN"]
    # What is written beside the bar is inside the picture.
    ax.figure.canvas.draw()
    assert ax.texts[0].get_window_extent().x1 <= ax.figure.bbox.x1


def test_without_flags_packets_alone_are_beside_the_bars():
    df = REFUSED_REPLY.drop(columns="tcp_flags")
    ax = df.flow.plot.conversation(diagnosed(df))
    assert sorted(notes(ax)) == ["11 packets", "6 packets", "6 packets"]
    assert [lane for lane, _ in lanes(ax)][-1] == f"reply leaves {SERVER}"


def test_in_the_default_format_ways_are_inferred():
    df = REFUSED_REPLY.drop(columns=["tcp_flags", "flow_direction", "pkt_srcaddr", "pkt_dstaddr"])
    ax = df.flow.plot.conversation(diagnosed(df))
    assert lanes(ax) == lanes(REFUSED_REPLY.flow.plot.conversation(diagnosed(REFUSED_REPLY)))


def test_where_no_way_can_be_inferred_the_ends_are_named():
    df = frame(record(action="REJECT")).drop(columns="interface_id").assign(interface_id="eni-0a")
    ax = df.flow.plot.conversation(diagnosed(df))
    assert lanes(ax) == [("request from 10.0.0.5 to 10.0.1.9", "eni-0a")]


def test_ipv6():
    client, server = "2001:db8:1::5", "2001:db8:2::9"
    df = in_ipv6(REFUSED_REPLY)
    ax = df.flow.plot.conversation(diagnosed(df))
    assert title(ax)[0] == f"[{client}]:50000 to [{server}]:443 (TCP, https)"
    assert [lane for lane, _ in lanes(ax)] == [
        f"request leaves {client}", f"request arrives at {server}", f"reply leaves {server}",
    ]  # fmt: skip


@pytest.mark.parametrize("port", [0, None])
def test_a_ping_whose_answer_is_refused(port):
    ping = {"protocol": 1, "srcport": port, "dstport": port, "tcp_flags": 0}
    df = frame(
        logged(**ping, packets=4), logged(there=False, **ping, packets=4, action="REJECT"), logged(srcport=port or 0)
    )
    ax = df.flow.plot.conversation(diagnosed(df))
    assert title(ax)[0] == f"{CLIENT} to {SERVER} (ICMP)"
    assert bars(ax) == [
        ["ACCEPT", f"request arrives at {SERVER}", 0, 59],
        ["REJECT", f"reply leaves {SERVER}", 0, 59],
    ]
    assert notes(ax) == ["4 packets", "4 packets"]


def test_a_packet_that_passes_through_says_who_sent_it_and_for_whom_it_is():
    inside, nat, outside = "10.0.0.5", "10.0.9.1", "203.0.113.9"
    through = {"at": "eni-0a", "pkt_srcaddr": inside, "pkt_dstaddr": outside, "dstport": 443, "packets": 1}
    df = frame(
        logged(**through, srcaddr=inside, dstaddr=nat, way="ingress"),
        logged(**{**through, "at": "eni-0b"}, srcaddr=nat, dstaddr=outside, way="egress", action="REJECT"),
    )
    ax = df.flow.plot.conversation(diagnosed(df))
    assert {lane for lane, _ in lanes(ax)} == {
        f"request leaves {nat}, sent by {inside}", f"request arrives at {nat}, meant for {outside}",
    }  # fmt: skip


def test_an_earlier_conversation_on_the_same_ports_is_not_drawn():
    closed = [
        logged(start=START - 3600, end=START - 3590, tcp_flags=3),
        logged(there=False, start=START - 3600, end=START - 3590, tcp_flags=19),
    ]
    df = frame(*closed, logged(action="REJECT"))
    assert [begin for *_, begin, _ in bars(df.flow.plot.conversation(diagnosed(df)))] == [0]


def test_a_late_packet_is_drawn_with_the_connection_that_was_closed():
    df = frame(
        logged(start=START, end=START + 5, tcp_flags=3),
        logged(there=False, start=START, end=START + 5, tcp_flags=19),
        logged(there=False, start=START + 50, end=START + 50, tcp_flags=1, action="REJECT", packets=1),
    )
    ax = df.flow.plot.conversation(diagnosed(df, verdict="LATE_PACKET"))
    assert [(action, lane, begin) for action, lane, begin, _ in bars(ax)] == [
        ("ACCEPT", f"request arrives at {SERVER}", 0),
        ("ACCEPT", f"reply leaves {SERVER}", 0),
        ("REJECT", f"reply leaves {SERVER}", 50),
    ]
    assert "1 packet, FIN" in notes(ax)


def test_of_ten_thousand_records_those_near_the_refusal_are_drawn_and_the_others_counted():
    # A connection of a week; its last packet comes after it was closed.
    records = [logged(there=number % 2 == 0, start=START + number * 60, tcp_flags=0) for number in range(10_000)]
    for number, each in enumerate(records):
        each["end"] = START + number * 60 + 50
    last = START + 10_000 * 60
    df = frame(
        logged(start=START - 60, end=START - 1),
        *records,
        logged(start=last, end=last, tcp_flags=1),
        logged(there=False, start=last + 5, end=last + 5, tcp_flags=1, action="REJECT", packets=1),
    )
    ax = df.flow.plot.conversation(diagnosed(df))
    drawn = bars(ax)
    assert 20 < len(drawn) <= 60
    assert len(notes(ax)) == len(drawn)
    assert max(begin for *_, begin, _ in drawn) == last + 5 - START
    assert min(begin for *_, begin, _ in drawn) > (10_000 - 100) * 60
    below = ax.get_xlabel().split("\n")
    more, whole = f"{10_003 - len(drawn):,} more records", "from 2026-03-10 13:59:00 to 2026-03-17 12:40:05"
    assert below == [
        "UTC; beside each bar its packets and TCP flags",
        f"{more} of this conversation not drawn; the whole lasts {whole}",
    ]


def test_every_place_has_records_in_the_picture_however_many_another_one_has():
    many = [logged(at=AT_CLIENT, packets=n) for n in range(500)]
    df = frame(*many, logged(start=START + 30), logged(there=False, start=START + 40, action="REJECT"))
    ax = df.flow.plot.conversation(diagnosed(df))
    assert {lane for _, lane, *_ in bars(ax)} == {lane for lane, _ in lanes(ax)}
    assert len(lanes(ax)) == 3


def test_no_bar_covers_another_or_what_is_written_beside_it():
    df = frame(*[logged(action="REJECT", start=START + second, end=START + second) for second in range(0, 100, 4)])
    ax = df.flow.plot.conversation(diagnosed(df))
    ax.figure.canvas.draw()
    boxes = [bar.get_window_extent() for container in ax.containers for bar in container]
    boxes += [text.get_window_extent() for text in ax.texts]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])


def test_times_are_in_utc_whatever_the_machine_says():
    row = diagnosed(REFUSED_REPLY)
    with plt.rc_context({"timezone": "Asia/Tokyo"}):
        ax = REFUSED_REPLY.flow.plot.conversation(row)
        ax.figure.canvas.draw()
        labels = [label.get_text() for label in ax.get_xticklabels()]
    assert "14:00" in labels


# --- Rows of diagnose_conversation ---


def test_a_conversation_that_works_is_drawn_from_the_side_that_asks():
    df = frame(logged(at=AT_CLIENT), logged(), logged(there=False), logged(there=False, at=AT_CLIENT))
    why = df.flow.diagnose_conversation(CLIENT, SERVER, dst_port=443)
    ax = df.flow.plot.conversation(why.loc[0])
    assert title(ax) == [f"{CLIENT}:50000 to {SERVER}:443 (TCP, https)", "Certain: it works (OK)"]
    assert [lane for lane, _ in lanes(ax)] == [
        f"request leaves {CLIENT}", f"request arrives at {SERVER}", f"reply leaves {SERVER}",
        f"reply arrives at {CLIENT}",
    ]  # fmt: skip


def test_several_conversations_of_two_hosts_at_one_port_are_one_picture():
    times = [{"start": START + wait, "end": START + wait} for wait in (0, 90, 180)]
    df = frame(*[logged(srcport=50_000 + n, **time, action="REJECT") for n, time in enumerate(times)])
    (row,) = (row for _, row in df.flow.diagnose_conversation(CLIENT, SERVER, dst_port=443).iterrows())
    ax = df.flow.plot.conversation(row)
    assert title(ax)[0] == f"{CLIENT} to {SERVER}:443 (TCP, https)"
    assert sorted(begin for *_, begin, _ in bars(ax)) == [0, 90, 180]


def test_of_what_was_never_logged_there_is_an_empty_picture_with_its_verdict(tmp_path):
    row = REFUSED_REPLY.flow.diagnose_conversation(CLIENT, "169.254.169.254", dst_port=80).loc[0]
    ax = REFUSED_REPLY.flow.plot.conversation(row)
    assert title(ax) == [
        f"{CLIENT} to 169.254.169.254:80 (TCP, http)", "Likely: flow logs never capture it (NOT_LOGGED)",
    ]  # fmt: skip
    assert (len(ax.patches), notes(ax)) == (0, ["these records have nothing of this conversation"])
    ax.figure.savefig(tmp_path / "empty.png")


# --- What cannot be drawn ---


def test_a_row_for_many_conversations_says_where_each_of_them_is():
    scans = [record(srcaddr=f"198.51.100.{n}", interface_id="eni-0a", action="REJECT") for n in range(1, 4)]
    df = frame(*scans, record(srcaddr="10.0.1.9", dstaddr="198.51.100.200", interface_id="eni-0a"))
    row = df.flow.diagnose()
    row = row[row["srcaddr"].isna()].iloc[0]
    with pytest.raises(ValueError, match=r'stands for many conversations \(3 attempts.*srcaddr.*scope="all"'):
        df.flow.plot.conversation(row)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (REFUSED_REPLY.iloc[0], "which has direction, verdict"),
        (REFUSED_REPLY.flow.diagnose(), "one row of diagnose.. and not a DataFrame"),
        (3, "not a int"),
    ],
)
def test_what_is_no_row_of_a_diagnosis_is_refused_by_name(wrong, what):
    with pytest.raises(ValueError, match=rf"plot.conversation takes.*{what}.*plot.conversation\(found.loc\[0\]\)"):
        REFUSED_REPLY.flow.plot.conversation(wrong)


def test_a_row_of_another_log_is_refused_with_what_is_not_there():
    row = diagnosed(REFUSED_REPLY)
    what = f"nothing of {SERVER}:443 to {CLIENT}:50000 .TCP. at {AT_SERVER} between 2026"
    with pytest.raises(ValueError, match=what):
        frame(logged(srcport=4)).flow.plot.conversation(row)


def test_a_log_without_the_fields_says_which_one_is_missing():
    with pytest.raises(fl.MissingFieldError, match=r"plot.conversation needs 'action'"):
        REFUSED_REPLY.drop(columns="action").flow.plot.conversation(diagnosed(REFUSED_REPLY))
