"""The queries for CloudWatch Logs Insights: run over the lines of a log, they return what the verbs return."""

from __future__ import annotations

import inspect

import pytest
from formats import ALL_TGW, DEFAULT, START, columns, frame, line, names_of, nodata, read, record, rows, text
from hypothesis import given, settings
from hypothesis import strategies as st
from logs_insights import run
from strategies import TRAFFIC

import flowlens as fl
from flowlens.insights import InsightsText
from flowlens.reductions import Reductions

#: Each verb, and the columns of its result that a query cannot have.
VERBS = {
    "top_talkers": (lambda to: to.top_talkers(None), {"share"}),
    "top_talkers by flows of interfaces": (
        lambda to: to.top_talkers(None, by="flows", key="interface_id"),
        {"share"},
    ),
    "top ports": (lambda to: to.top_talkers(None, by="packets", key="dstport"), {"share"}),
    "timeline": (lambda to: to.timeline("5min"), set()),
    "timeline without split": (lambda to: to.timeline("1h", by=None), set()),
    "timeline by days": (lambda to: to.timeline("1D", by="protocol"), set()),
    "pairs": (lambda to: to.pairs(), set()),
    "pairs by other keys": (lambda to: to.pairs(by="packets", keys=("interface_id", "dstport", "action")), set()),
    "pairs of one key": (lambda to: to.pairs(keys="protocol"), set()),
    "ports": (lambda to: to.ports(), set()),
    "ports by bytes": (lambda to: to.ports(by="bytes"), set()),
    "fan_out": (lambda to: to.fan_out(), set()),
    "fan_in": (lambda to: to.fan_out(key="dstaddr"), set()),
    "rejected_by_port": (lambda to: to.rejected_by_port(), set()),
    "rejected by ports": (lambda to: to.rejected_by_port(["0-50", 443], freq="1min", threshold=1), set()),
    "top_contributors": (lambda to: to.top_contributors(n=None), {"share", "contributors"}),
    "top contributors of each minute": (
        lambda to: to.top_contributors(("interface_id", "dstport"), n=None, by="flows", freq="1min"),
        {"share", "contributors"},
    ),
    "coverage": (lambda to: to.coverage(), {"gap_time"}),
}
verbs = pytest.mark.parametrize("verb", VERBS)

SELECTIONS = {
    "everything": lambda to: to.select(),
    "src": lambda to: to.select(src="10.0.0.5"),
    "prefixes": lambda to: to.select(src=["10.0.0.9/24", "2001:db8::/32"], dst="10.0.0.0/8"),
    "an IPv6 host": lambda to: to.select(host="2001:DB8:0::1"),
    "host": lambda to: to.host(["198.51.100.7/32", "10.0.1.9"]),
    "service ports": lambda to: to.select(dst_port=["ssh", 443]),
    "range of ports": lambda to: to.select(port=["20-23", 53], src_port="0-65535"),
    "protocols": lambda to: to.select(protocol=["tcp", 58]),
    "rejected": lambda to: to.rejected(),
    "actions": lambda to: to.select(action=["ACCEPT", "REJECT"], interface=["eni-2", "-", "eni-1235b8ca123456789"]),
    "time": lambda to: to.select(time=(START, START + 120)),
    "later": lambda to: to.select(time=("2026-03-10 14:01", None)),
    "earlier": lambda to: to.select(time=(None, "2026-03-10 14:01")),
    "any time": lambda to: to.select(time=(None, None)),
    "status": lambda to: to.select(status=["NODATA", "SKIPDATA"]),
    "between": lambda to: to.between("10.0.0.0/24", ["10.0.1.9", "2001:db8::2"]),
}
selections = pytest.mark.parametrize("selection", SELECTIONS)

RECORDS = [
    record(tcp_flags=2, packets=3),
    record(srcaddr="10.0.1.9", dstaddr="10.0.0.5", srcport=443, dstport=49152, tcp_flags=18, bytes=7000),
    record(tcp_flags=0, start=START + 60, end=START + 119),
    nodata(tcp_flags=None, start=START + 120, end=START + 179),
    nodata(tcp_flags=None, log_status="SKIPDATA", start=START + 180, end=START + 239),
    record(tcp_flags=3, start=START + 2000, end=START + 2059, action="REJECT", bytes=None),
    record(srcaddr="198.51.100.7", dstport=22, action="REJECT", tcp_flags=2, interface_id=None, start=START + 30),
    record(srcaddr="198.51.100.7", dstport=23, action="REJECT", tcp_flags=None, start=START + 40, end=START + 40),
    record(srcaddr="2001:db8::1", dstaddr="2001:db8::2", srcport=0, dstport=0, protocol=58, tcp_flags=0),
    record(srcport=53000, dstport=53, protocol=17, tcp_flags=0, interface_id="eni-2", bytes=None),
    record(srcport=53000, dstport=53, protocol=17, tcp_flags=17, interface_id="eni-3", packets=9),
]
PLAIN = [{name: rec[name] for name in DEFAULT} for rec in RECORDS]
DF, DEFAULT_DF = frame(*RECORDS), frame(*PLAIN)


def answer(query: str, records) -> list[tuple]:
    """Run a query over the lines of records; what is missing is None and what looks like a number is one."""
    names = names_of(records)
    lines = [line(rec, names) for rec in records]
    found = run(query, lines, [rec["start"] for rec in records], default_format=names == DEFAULT)
    return [tuple(None if value == "-" else as_number(value) for value in row.values()) for row in found]


def as_number(value):
    return int(value) if isinstance(value, str) and value.isdigit() else value


def expected(result, lacking) -> list[tuple]:
    return [tuple(as_number(value) for value in row.values()) for row in rows(result.drop(columns=list(lacking)))]


def same_rows(found: list[tuple], wanted: list[tuple]) -> None:
    """Compare rows in any order: rows that tie stand in natural order there, in the order of words here."""
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def agree(verb: str, records, df, narrowed=lambda to: to) -> None:
    ask, lacking = VERBS[verb]
    narrowed_df = narrowed(df.flow)
    same_rows(
        answer(ask(narrowed(df.flow.insights())), records),
        expected(ask(getattr(narrowed_df, "flow", narrowed_df)), lacking),
    )


# --- The text means what the verb means ---


@verbs
@selections
def test_a_custom_format_is_parsed_and_gives_the_result_of_the_verb(verb, selection):
    agree(verb, RECORDS, DF, SELECTIONS[selection])


@verbs
@selections
def test_the_default_format_has_its_fields_found_and_gives_the_result_of_the_verb(verb, selection):
    assert "parse" not in VERBS[verb][0](DEFAULT_DF.flow.insights())
    agree(verb, PLAIN, DEFAULT_DF, SELECTIONS[selection])


@verbs
@settings(max_examples=5)
@given(records=TRAFFIC, selection=st.sampled_from(sorted(SELECTIONS)), plain=st.booleans())
def test_on_random_traffic_the_text_gives_what_the_verb_returns(verb, records, selection, plain):
    if plain:
        records = [{name: rec[name] for name in DEFAULT} for rec in records]
    agree(verb, records, read(text(records, names_of(records))), SELECTIONS[selection])


@pytest.mark.parametrize("n", [0, 1, 3, 100])
@pytest.mark.parametrize("by", ["bytes", "packets", "flows"])
def test_the_largest_come_first_and_no_more_than_are_asked_for(by, n):
    # Columns: two keys, flows, packets, bytes.
    place = {"flows": 2, "packets": 3, "bytes": 4}[by]
    found = answer(DF.flow.insights().pairs(n, by=by), RECORDS)
    assert [row[place] for row in found] == DF.flow.pairs(n, by=by)[by].tolist()
    assert set(found) <= set(answer(DF.flow.insights().pairs(by=by), RECORDS))


def test_lines_of_time_and_cells_come_in_their_order():
    found = answer(DF.flow.insights().timeline("1min"), RECORDS)
    assert found == expected(DF.flow.timeline("1min"), set())
    cells = answer(DF.flow.insights().matrix("srcport", "dstport", values="flows"), RECORDS)
    assert cells == sorted(cells)


@pytest.mark.parametrize("values", ["bytes", "packets", "flows"])
def test_a_matrix_is_its_cells(values):
    found = answer(DF.flow.insights().matrix("srcaddr", "dstaddr", values=values), RECORDS)
    crossed = DF.flow.matrix("srcaddr", "dstaddr", values=values)
    assert {(src, dst): count for src, dst, count in found if count} == {
        (src, dst): count for src, row in crossed.iterrows() for dst, count in row.items() if count
    }


@pytest.mark.parametrize("flags", [None, *range(32)])
def test_flags_tell_the_service_port_as_in_the_frame(flags):
    records = [record(srcport=5000, dstport=80, tcp_flags=flags), record(srcport=80, dstport=5000, tcp_flags=flags)]
    agree("ports", records, frame(*records))
    # Over a transit gateway SYN with ACK may be of either side.
    gateway = ["tgw_id", "start", *columns("srcaddr dstaddr srcport dstport protocol packets bytes tcp-flags")]
    records = [{name: {**rec, "tgw_id": "tgw-1"}[name] for name in gateway} for rec in records]
    agree("ports", records, frame(*records))


def test_filters_follow_each_other():
    def narrowed(to):
        more = to.select(src="10.0.0.0/8")
        return getattr(more, "flow", more).rejected()

    agree("pairs", RECORDS, DF, narrowed)
    assert DF.flow.insights().select(src="10.0.0.0/8").rejected().pairs().count("filter") == 3


def test_narrowing_leaves_what_was_narrowed_as_it_was():
    queries = DF.flow.insights()
    before = queries.pairs()
    assert queries.rejected().pairs() != before
    assert queries.pairs() == before


# --- It reads as one would write it ---

# AWS's own are in https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-examples.html.


def test_top_15_byte_transfers_of_a_subnet():
    queries = DEFAULT_DF.flow.insights()
    assert queries.select(src="192.0.2.0/24").pairs(15, keys="dstaddr") == (
        'filter srcAddr != "-"\n'
        '| filter isIpv4InSubnet(srcAddr, "192.0.2.0/24")\n'
        "| stats count(*) as flows, sum(packets) as packets, sum(bytes) as bytes\n"
        "    by dstAddr\n"
        "| sort bytes desc, dstAddr asc\n"
        "| limit 15"
    )


def test_addresses_that_use_udp():
    assert DEFAULT_DF.flow.insights().select(protocol="udp").matrix("srcaddr", "dstaddr", values="flows") == (
        'filter srcAddr != "-"\n'
        "| filter protocol = 17\n"
        "| stats count(*) as flows\n"
        "    by srcAddr, dstAddr\n"
        "| sort srcAddr asc, dstAddr asc\n"
        "| limit 100000"
    )


def test_rejected_traffic_per_hour():
    assert DEFAULT_DF.flow.insights().rejected().timeline("1h", by=None) == (
        'filter srcAddr != "-"\n'
        '| filter action = "REJECT"\n'
        "| stats count(*) as flows, sum(packets) as packets, sum(bytes) as bytes\n"
        "    by bin(1h) as start\n"
        "| sort start asc\n"
        "| limit 100000"
    )


def test_the_alarm_of_the_tutorial():
    assert DEFAULT_DF.flow.insights().rejected_by_port("ssh") == (
        'filter srcAddr != "-"\n'
        '| filter dstPort = 22 and protocol = 6 and action = "REJECT"\n'
        "| stats count(*) as flows, sum(packets) as packets, "
        "count_distinct(srcAddr) as sources, count_distinct(dstAddr) as targets\n"
        "    by bin(1h) as start, dstPort as port\n"
        "| sort start asc, port asc\n"
        "| limit 100000\n"
        "| display start, port, flows, packets, sources, targets, flows >= 10 as alarm"
    )


def test_contributors_of_each_hour_come_in_order_of_time_and_the_largest_first():
    query = DEFAULT_DF.flow.insights().top_contributors(("interface_id", "srcaddr"), n=None, by="flows", freq="1h")
    assert query.splitlines()[2:] == [
        "    by bin(1h) as start, interfaceId, srcAddr",
        "| sort start asc, flows desc, interfaceId asc, srcAddr asc",
        "| limit 100000",
    ]


def test_interfaces_with_skipped_records():
    assert DEFAULT_DF.flow.insights().select(status="SKIPDATA").coverage() == (
        'filter logStatus = "SKIPDATA"\n'
        "| stats count(*) as records, min(startTime) as first, max(endTime) as last, "
        'sum(strcontains(logStatus, "NODATA")) as nodata, sum(strcontains(logStatus, "SKIPDATA")) as skipdata\n'
        "    by interfaceId\n"
        "| sort interfaceId asc\n"
        "| limit 100000"
    )


def test_a_custom_format_names_its_fields_as_the_frame_does():
    df = read(b"dstaddr srcaddr packets bytes flow-direction\n10.0.0.2 10.0.0.1 1 60 egress\n")
    assert df.flow.insights().select(direction="egress").top_talkers(1) == (
        'parse @message "* * * * *"\n'
        "    as dstaddr, srcaddr, packets, bytes, flow_direction\n"
        '| filter srcaddr != "-"\n'
        '| filter flow_direction = "egress"\n'
        "| stats count(*) as flows, sum(packets) as packets, sum(bytes) as bytes, count_distinct(dstaddr) as peers\n"
        "    by srcaddr\n"
        "| sort bytes desc, srcaddr asc\n"
        "| limit 1"
    )


def test_alternatives_of_several_conditions_stand_in_brackets():
    query = DEFAULT_DF.flow.insights().between("10.0.0.1", "10.1.0.0/16").select(dst_port=["22-23", 80]).pairs()
    there, back = query.splitlines()[1].removeprefix("| filter ").split(" or ")
    assert there == '((srcAddr = "10.0.0.1" and isIpv4InSubnet(dstAddr, "10.1.0.0/16"))'
    assert back == '(isIpv4InSubnet(srcAddr, "10.1.0.0/16") and dstAddr = "10.0.0.1"))'
    assert query.splitlines()[2] == "| filter ((dstPort >= 22 and dstPort <= 23) or dstPort = 80)"


def test_where_one_of_the_alternatives_asks_nothing_nothing_is_asked():
    either = [fl.Selection(action="REJECT"), fl.Selection()]
    assert InsightsText(DEFAULT, [either]).pairs() == InsightsText(DEFAULT).pairs()


@pytest.mark.parametrize(
    ("freq", "period"),
    [
        *[("1s", "1s"), ("60s", "1m"), ("90s", None), ("5min", "5m"), ("7min", None), ("60min", "1h"), ("90min", None)],
        *[("12h", "12h"), ("5h", None), ("24h", "1d"), ("1D", "1d"), ("7D", None)],
    ],
)
def test_bins_are_those_that_bin_has(freq, period):
    if period:
        assert f"bin({period}) as start" in DF.flow.insights().timeline(freq)
    else:
        with pytest.raises(fl.EngineError, match=r"has no bin\(\) of"):
            DF.flow.insights().timeline(freq)


def test_words_are_quoted():
    query = DF.flow.insights().select(interface='a"b\\c').pairs()
    assert '"a\\"b\\\\c"' in query
    assert answer(query, RECORDS) == []


# --- The format of the log ---


def test_columns_added_behind_the_fields_are_not_of_the_log():
    added = DF.assign(src_group="a", team="b")
    assert added.flow.insights().pairs() == DF.flow.insights().pairs()


def test_a_column_among_the_fields_leaves_the_format_open():
    df = DF.copy()
    df.insert(3, "team", "a")
    with pytest.raises(ValueError, match=r"'team' stands among the fields.*fields="):
        df.flow.insights()


def test_fields_of_both_kinds_of_log_are_no_format():
    with pytest.raises(ValueError, match="which no single log has"):
        DF.assign(tgw_id="tgw-1").flow.insights()


def test_the_format_can_be_told_where_the_frame_has_lost_it():
    few = DEFAULT_DF[["srcaddr", "dstaddr", "bytes"]]
    assert few.flow.insights(fields="default").pairs() == DEFAULT_DF.flow.insights().pairs()
    query = few.flow.insights(fields="${srcaddr} ${dstaddr} ${brand-new} ${packets} ${bytes}").pairs(keys="brand_new")
    assert "as srcaddr, dstaddr, brand_new, packets, bytes" in query
    with pytest.raises(ValueError, match="did you mean"):
        few.flow.insights(fields="srcadr dstaddr")


def test_the_default_fields_in_another_order_are_a_custom_format():
    assert "parse @message" in DEFAULT_DF[DEFAULT[::-1]].flow.insights().pairs()


def test_the_default_format_of_a_transit_gateway_is_parsed():
    query = InsightsText(ALL_TGW).timeline("1h", by=None)
    assert f"as {', '.join(ALL_TGW)}\n" in query


# --- What it refuses ---


@pytest.mark.parametrize("verb", ["gaps", "conversations", "losses", "reject_pairs"])
def test_what_cannot_be_said_is_refused_with_the_reason(verb):
    with pytest.raises(fl.EngineError, match="CloudWatch Logs Insights") as refused:
        getattr(DF.flow.insights(), verb)()
    assert refused.value.verb == verb
    assert refused.value.engine == "CloudWatch Logs Insights"
    assert refused.value.function in str(refused.value)
    assert f"df.flow.sql('athena').{verb}()" in str(refused.value)


REDUCTIONS = [name for name, _ in inspect.getmembers(Reductions, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("verb", REDUCTIONS)
def test_every_verb_is_text_or_refused(verb):
    if verb in {"gaps", "conversations", "losses", "reject_pairs"}:
        with pytest.raises(fl.EngineError):
            getattr(DF.flow.insights(), verb)()
    else:
        assert answer(getattr(DF.flow.insights(), verb)(), RECORDS)


def test_a_limit_for_each_period_is_refused_with_what_to_do():
    with pytest.raises(fl.EngineError, match=r"top_contributors\(\) .* has no limit for each period. Pass n=None"):
        DF.flow.insights().top_contributors(freq="1h")


@pytest.mark.parametrize("verb", [*REDUCTIONS, "matrix", "select", "accepted", "rejected", "between", "host"])
def test_every_verb_is_called_as_on_a_frame(verb):
    ours, theirs = (inspect.signature(getattr(cls, verb)).parameters for cls in (InsightsText, type(DF.flow)))
    assert [(p.name, p.default, p.kind) for p in ours.values()] == [
        (p.name, p.default, p.kind) for p in theirs.values()
    ]


def test_groups_are_not_in_the_log():
    queries = DF.assign(src_group="a", dst_group="b").flow.insights()
    with pytest.raises(fl.EngineError, match=r"select\(\) .* has no groups"):
        queries.select(group="a")
    with pytest.raises(fl.EngineError, match=r"matrix\(\) .* has no column 'src_group'"):
        queries.matrix()


@pytest.mark.parametrize(
    ("ask", "token"),
    [
        (lambda to: to.top_talkers(), "bytes"),
        (lambda to: to.timeline(), "bytes"),
        (lambda to: to.ports(), "srcport"),
        (lambda to: to.coverage(), "interface-id"),
        (lambda to: to.pairs(keys="vpc_id"), "vpc-id"),
        (lambda to: to.top_contributors("vpc_id", by="flows"), "vpc-id"),
        (lambda to: to.top_contributors(), "bytes"),
        (lambda to: to.select(direction="egress"), "flow-direction"),
    ],
)
def test_a_missing_field_is_named_with_its_token(ask, token):
    queries = InsightsText(columns("srcaddr dstaddr dstport protocol packets start end action log-status"))
    with pytest.raises(fl.MissingFieldError, match=rf"\$\{{{token}\}}"):
        ask(queries)


def test_a_transit_gateway_log_has_no_action_and_says_so():
    with pytest.raises(fl.MissingFieldError, match=r"transit gateway records have no action.*by=None"):
        InsightsText(ALL_TGW).timeline()
    with pytest.raises(
        fl.MissingFieldError, match=r"^rejected_by_port needs .* transit gateway records have no action"
    ):
        InsightsText(ALL_TGW).rejected_by_port()
    assert "rejected" not in InsightsText(ALL_TGW).fan_out()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda to: to.pairs(by="cost"), "flows, packets, bytes"),
        (lambda to: to.pairs(-1), "no number of rows"),
        (lambda to: to.pairs(keys=()), "keys is empty"),
        (lambda to: to.timeline("month"), "no fixed width"),
        (lambda to: to.rejected_by_port(freq="month"), "no fixed width"),
        (lambda to: to.rejected_by_port("sssh"), "'sssh' is no service"),
        (lambda to: to.rejected_by_port([]), "ports is empty"),
        (lambda to: to.rejected_by_port(threshold=0), "threshold=0 is no whole number from 1 on"),
        (lambda to: to.top_contributors(by="cost"), "flows, packets, bytes"),
        (lambda to: to.top_contributors(n=0), "n=0 is no whole number from 1 on"),
        (lambda to: to.top_contributors(()), "Contributor Insights takes 1 to 4"),
        (lambda to: to.top_contributors(n=None, freq="soon"), "no fixed width"),
        (lambda to: to.select(src="10.0.0.0.0"), "neither an IP address"),
        (lambda to: to.select(src=[]), "no value is given for srcaddr"),
        (lambda to: to.select(interface="-"), "no value is given for interface_id"),
    ],
)
def test_what_is_no_question_is_refused(ask, message):
    with pytest.raises(ValueError, match=message):
        ask(DF.flow.insights())


def test_more_rows_than_there_can_be_are_refused():
    assert DF.flow.insights().pairs(100_000).endswith("limit 100000")
    with pytest.raises(fl.EngineError, match="no result of more than 100,000 rows"):
        DF.flow.insights().pairs(100_001)


def test_the_object_says_what_it_is_for():
    assert "CloudWatch Logs Insights" in repr(DF.flow.insights())
