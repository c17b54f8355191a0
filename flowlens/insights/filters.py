"""The records that a selection means, as conditions of a query."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from flowlens.cidr import network
from flowlens.clauses import port_range
from flowlens.errors import EngineError
from flowlens.insights.log import ENGINE, Log
from flowlens.selection import Selection
from flowlens.service import protocol_number
from flowlens.timespan import TimeSpan, time_span

__all__ = ["any_holds"]


def any_holds(any_of: Iterable[Selection], log: Log) -> str:
    """Return the condition that one of the selections holds; empty where one of them asks nothing."""
    return _any(_condition(selection, log) for selection in any_of)


def _condition(selection: Selection, log: Log) -> str:
    """Return what a selection asks of a record; empty if nothing."""
    parts = [_CLAUSES[name](log, value) for name, value in selection.clauses.items()]
    return " and ".join(filter(None, parts))


def _any(conditions: Iterable[str]) -> str:
    alternatives = list(conditions)
    if not all(alternatives):
        return ""
    if len(alternatives) == 1:
        return alternatives[0]
    joined = " or ".join(f"({one})" if " and " in one else one for one in alternatives)
    return f"({joined})"


_Clause = Callable[[Log, Any], str]


def _one_of(alternatives: Callable[[str, Any], list[str]], *columns: str) -> _Clause:
    """Return the clause that one of the columns has one of the values."""

    def clause(log: Log, values: tuple[object, ...]) -> str:
        values = tuple(
            value for value in values if value != "-"
        )  # the mark of a missing value, which no clause selects
        if not values:
            raise ValueError(f"no value is given for {' or '.join(columns)}, so that no record could be selected")
        found = [log.field(column, "this selection") for column in columns]
        return _any(one for field in found for one in alternatives(field, values))

    return clause


def _addresses(field: str, prefixes: tuple[str, ...]) -> list[str]:
    return [_within(field, prefix) for prefix in prefixes]


def _within(field: str, prefix: str) -> str:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html#CWL_QuerySyntax-IPaddress-functions
    net = network(prefix)
    if net.version == 6:
        # A single address, too: it can be written in several ways.
        return f'isIpv6InSubnet({field}, "{net.cidr}")'
    return f'{field} = "{net.ip}"' if net.prefixlen == 32 else f'isIpv4InSubnet({field}, "{net.cidr}")'


def _ports(field: str, ports: tuple[object, ...]) -> list[str]:
    spans = map(port_range, ports)
    return [
        f"{field} = {first}" if first == last else f"{field} >= {first} and {field} <= {last}" for first, last in spans
    ]


def _protocols(field: str, protocols: tuple[str | int, ...]) -> list[str]:
    # Numbers have '=', as in AWS's examples also for what `parse` finds; `in` is documented for text.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Filter.html
    return [f"{field} = {protocol_number(protocol)}" for protocol in protocols]


def _words(field: str, words: tuple[str, ...]) -> list[str]:
    quoted = ['"' + str(word).replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words]
    return [f"{field} = {quoted[0]}" if len(quoted) == 1 else f"{field} in [{', '.join(quoted)}]"]


def _time(log: Log, span: TimeSpan) -> str:
    field = log.field("start", "this selection")
    sides = zip((">=", "<"), span, time_span(span), strict=True)
    return " and ".join(f"{field} {sign} {seconds}" for sign, moment, seconds in sides if moment is not None)


def _not_logged(what: str, advice: str) -> _Clause:
    def clause(log: Log, value: object) -> NoReturn:  # noqa: ARG001
        raise EngineError("select", ENGINE, what, advice)

    return clause


_GROUPS = _not_logged(
    "groups", "They are columns of the frame, not of the log; select by the prefixes of the group: src=, dst= or host=."
)
_VERDICTS = _not_logged("verdicts", "They are what df.flow.diagnose() says of records.")
_SCORES = _not_logged("findings", "They are what df.flow.findings() says of records.")


_CLAUSES: dict[str, _Clause] = {
    "src": _one_of(_addresses, "srcaddr"),
    "dst": _one_of(_addresses, "dstaddr"),
    "host": _one_of(_addresses, "srcaddr", "dstaddr"),
    "src_port": _one_of(_ports, "srcport"),
    "dst_port": _one_of(_ports, "dstport"),
    "port": _one_of(_ports, "srcport", "dstport"),
    "protocol": _one_of(_protocols, "protocol"),
    "action": _one_of(_words, "action"),
    "interface": _one_of(_words, "interface_id"),
    "direction": _one_of(_words, "flow_direction"),
    "time": _time,
    "status": _one_of(_words, "log_status"),
    **dict.fromkeys(("group", "src_group", "dst_group"), _GROUPS),
    **dict.fromkeys(("verdict", "certainty"), _VERDICTS),
    **dict.fromkeys(("kind", "min_score"), _SCORES),
}
