"""CloudWatch Logs Insights in small: the part of its query language that flowlens prints, run over log events.

Written from AWS's user guide and not from flowlens, https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/:
CWL_AnalyzeLogData-discoverable-fields and CWL_QuerySyntax with -Parse, -Filter, -Stats, -Sort, -Limit, -Display and
-operations-functions. Where the guide is silent, this takes what is least: what is no number adds nothing to a sum and
compares with no number, a field that was not found or made is an error.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence

__all__ = ["run"]

Value = str | int | bool | None
Event = dict[str, Value]
Expression = Callable[[Event], Value]

_DISCOVERED = (
    *("version", "accountId", "interfaceId", "srcAddr", "dstAddr", "srcPort", "dstPort", "protocol"),
    *("packets", "bytes", "startTime", "endTime", "action", "logStatus"),
)
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\d+[a-z]+|\d+|@?[A-Za-z_]\w*|!=|<=|>=|[-+*/%=<>(),|\[\]])')
_CAPS = {"s": 60, "m": 60, "h": 24, "d": 10**9}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DEFAULT_LIMIT, _MOST = 10_000, 100_000


def run(query: str, lines: Sequence[str], times: Sequence[int | None], *, default_format: bool) -> list[Event]:
    """Return the rows of a query over log events, each with a message and a time in Unix seconds."""
    events: list[Event] = [
        {"@message": line, "@timestamp": time, **(_discovered(line) if default_format else {})}
        for line, time in zip(lines, times, strict=True)
    ]
    tokens = _tokens(query)
    limited = False
    while tokens:
        command, *tokens = tokens
        end = tokens.index("|") if "|" in tokens else len(tokens)
        events = _COMMANDS[command](_Reader(tokens[:end]), events)
        limited |= command == "limit"
        tokens = tokens[end + 1 :]
    return events if limited else events[:_DEFAULT_LIMIT]


def _discovered(line: str) -> Event:
    return dict(zip(_DISCOVERED, line.split(), strict=True))


def _tokens(query: str) -> list[str]:
    tokens, place = [], 0
    while query[place:].strip():
        match = _TOKEN.match(query, place)
        assert match, f"no token: {query[place:]}"
        tokens.append(match[1])
        place = match.end()
    return tokens


# --- Commands ---


def _parse(reader: _Reader, events: list[Event]) -> list[Event]:
    source, glob = reader.take(), _text(reader.take())
    names = [name for name, _ in reader.listed("as", lambda: (reader.take(), None))]
    assert glob.count("*") == len(names)
    pattern = re.compile("^" + "(.*?)".join(map(re.escape, glob.split("*"))) + "$")
    parsed = []
    for event in events:
        match = pattern.match(str(event[source]))
        parsed.append({**event, **(dict(zip(names, match.groups(), strict=True)) if match else {})})
    return parsed


def _filter(reader: _Reader, events: list[Event]) -> list[Event]:
    condition = reader.expression()
    reader.end()
    return [event for event in events if condition(event)]


def _fields(reader: _Reader, events: list[Event]) -> list[Event]:
    made = reader.listed(None, reader.named)
    return [{**event, **{name: value(event) for name, value in made}} for event in events]


def _stats(reader: _Reader, events: list[Event]) -> list[Event]:
    counted = reader.listed(None, reader.aggregated)
    keys = reader.listed("by", reader.named)
    groups: dict[tuple[Value, ...], list[Event]] = {}
    for event in events:
        groups.setdefault(tuple(value(event) for _, value in keys), []).append(event)
    names = [name for name, _ in keys]
    return [
        {**dict(zip(names, found, strict=True)), **{name: count(group) for name, count in counted}}
        for found, group in groups.items()
    ]


def _sort(reader: _Reader, events: list[Event]) -> list[Event]:
    keys = reader.listed(None, lambda: (reader.take(), reader.take()))
    for name, order in reversed(keys):
        assert order in {"asc", "desc"}
        events = sorted(events, key=lambda event, name=name: _natural(event[name]), reverse=order == "desc")
    return events


def _limit(reader: _Reader, events: list[Event]) -> list[Event]:
    count = int(reader.take())
    reader.end()
    assert count <= _MOST
    return events[:count]


def _display(reader: _Reader, events: list[Event]) -> list[Event]:
    shown = reader.listed(None, reader.named)
    return [{name: value(event) for name, value in shown} for event in events]


_COMMANDS = {
    "parse": _parse, "filter": _filter, "fields": _fields, "stats": _stats, "sort": _sort, "limit": _limit,
    "display": _display,
}  # fmt: skip


def _natural(value: Value) -> tuple[object, ...]:
    """Order what is no number first, by parts; parts of digits by their length, then their value."""
    number = _number(value)
    if number is not None:
        return (1, number)
    parts = re.findall(r"\d+|\D+", str(value))
    return (0, [(ord("0"), len(part), part) if part.isdigit() else (ord(part[0]), 0, part) for part in parts])


# --- Expressions ---


class _Reader:
    """The words of one command, read from left to right."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens

    def next(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def take(self, *expected: str) -> str:
        token = self._tokens.pop(0)
        assert not expected or token in expected, f"{token} where one of {expected} should be"
        return token

    def end(self) -> None:
        assert not self._tokens, f"left over: {self._tokens}"

    def listed(self, word: str | None, item: Callable[[], tuple]) -> list[tuple]:
        if word:
            self.take(word)
        found = [item()]
        while self.next() == ",":
            self.take(",")
            found.append(item())
        if self.next() != "by":
            self.end()
        return found

    def named(self) -> tuple[str, Expression]:
        shown = self.next()
        value = self.expression()
        if self.next() == "as":
            self.take("as")
            shown = self.take()
        return shown, value

    def aggregated(self) -> tuple[str, Callable[[list[Event]], Value]]:
        count = _AGGREGATES[self.take()]
        self.take("(")
        value = _always(self.take("*")) if self.next() == "*" else self.expression()
        self.take(")")
        self.take("as")
        return self.take(), lambda group: count([value(event) for event in group])

    def expression(self) -> Expression:
        return self._joined("or", self._conjunction, any)

    def _conjunction(self) -> Expression:
        return self._joined("and", self._comparison, all)

    def _joined(
        self, word: str, operand: Callable[[], Expression], fold: Callable[[Iterator[bool]], bool]
    ) -> Expression:
        operands = [operand()]
        while self.next() == word:
            self.take(word)
            operands.append(operand())
        return operands[0] if len(operands) == 1 else lambda event: fold(bool(one(event)) for one in operands)

    def _comparison(self) -> Expression:
        left = self._sum()
        if self.next() == "in":
            self.take("in")
            self.take("[")
            words = [_text(self.take())]
            while self.take(",", "]") == ",":
                words.append(_text(self.take()))
            return lambda event: left(event) in words
        if self.next() not in _COMPARISONS:
            return left
        compare, right = _COMPARISONS[self.take()], self._sum()
        return lambda event: compare(left(event), right(event))

    def _sum(self) -> Expression:
        left = self._operand()
        while self.next() in _ARITHMETIC:
            left = _calculated(_ARITHMETIC[self.take()], left, self._operand())
        return left

    def _operand(self) -> Expression:
        token = self.take()
        if token == "(":
            inside = self.expression()
            self.take(")")
            return inside
        if token.startswith('"'):
            return _always(_text(token))
        if token.isdigit():
            return _always(int(token))
        if self.next() != "(":
            return lambda event: event[token]
        self.take("(")
        if token == "bin":
            period = self.take()
            self.take(")")
            return lambda event: _bin(event["@timestamp"], period)
        arguments = [self.expression()]
        while self.take(",", ")") == ",":
            arguments.append(self.expression())
        return lambda event: _FUNCTIONS[token](event, *arguments)


def _always(value: Value) -> Expression:
    return lambda _: value


def _text(token: str) -> str:
    assert token.startswith('"'), token
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _number(value: Value) -> int | None:
    return int(value) if re.fullmatch(r"-?\d+", str(value)) else None


def _calculated(operation: Callable[[int, int], int], left: Expression, right: Expression) -> Expression:
    def calculate(event: Event) -> Value:
        one, other = _number(left(event)), _number(right(event))
        return None if one is None or other is None else operation(one, other)

    return calculate


def _ordered(compare: Callable[[int, int], bool]) -> Callable[[Value, Value], bool]:
    def both(one: Value, other: Value) -> bool:
        numbers = _number(one), _number(other)
        return None not in numbers and compare(*numbers)

    return both


_COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    "=": lambda one, other: str(one) == str(other),
    "!=": lambda one, other: str(one) != str(other),
    "<": _ordered(lambda one, other: one < other),
    "<=": _ordered(lambda one, other: one <= other),
    ">": _ordered(lambda one, other: one > other),
    ">=": _ordered(lambda one, other: one >= other),
}
_ARITHMETIC = {"%": lambda one, other: one % other}


def _bin(time: Value, period: str) -> int:
    count, unit = re.fullmatch(r"(\d+)([smhd])", period).groups()
    width = min(int(count), _CAPS[unit]) * _SECONDS[unit]
    assert 86400 % width == 0, "the guide does not say where such bins begin"
    return int(time) - int(time) % width


def _in_subnet(network: type[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> Callable[..., bool]:
    def inside(event: Event, field: Expression, prefix: Expression) -> bool:
        subnet = network(prefix(event))  # an error where it is not the start of the block
        try:
            address = ipaddress.ip_address(str(field(event)))
        except ValueError:
            return False
        return address.version == subnet.version and address in subnet

    return inside


def _case(event: Event, *arguments: Expression) -> Value:
    *branches, otherwise = arguments
    assert len(arguments) % 2 == 1
    assert len(branches) <= 20
    for condition, value in zip(branches[::2], branches[1::2], strict=True):
        if condition(event):
            return value(event)
    return otherwise(event)


_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "isIpv4InSubnet": _in_subnet(ipaddress.IPv4Network),
    "isIpv6InSubnet": _in_subnet(ipaddress.IPv6Network),
    "strcontains": lambda event, text, part: int(str(part(event)) in str(text(event))),
    "least": lambda event, *values: min(_number(value(event)) for value in values),
    "toNumber": lambda event, text: _number(text(event)),
    "case": _case,
}


def _numbers(values: list[Value]) -> list[int]:
    return [number for number in map(_number, values) if number is not None]


_AGGREGATES: dict[str, Callable[[list[Value]], Value]] = {
    "count": len,
    "sum": lambda values: sum(_numbers(values)),
    "min": lambda values: min(_numbers(values), default=None),
    "max": lambda values: max(_numbers(values), default=None),
    "count_distinct": lambda values: len(set(values)),
}
