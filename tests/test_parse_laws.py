"""The laws of reading, on random fields, records, envelopes and damage.

Law 1: what is written in any form is what is read. Law 2: records read + bad lines = items; damage costs no sound
record. A file cut short gives no wrong record, and says that it was cut. Files, forms behind each other and members of
compressed streams may be split anywhere.
"""

from __future__ import annotations

import bz2
import csv
import functools
import io
import itertools
import json
import random
import re

import pytest
from envelopes import (
    console_csv,
    csv_of,
    events,
    export_to_s3,
    filter_log_events,
    firehose_lines,
    firehose_request,
    firehose_transformation,
    get_log_events,
    get_records,
    insights_messages,
    json_array,
    json_lines,
    kinesis_event,
    lambda_event,
    line_array,
    named,
    payload,
    query_results,
    said,
    subscription,
    tail,
    zstd,
)
from formats import as_read, check, gz, line, log_format, parquet, read, record, rows, text
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import LAYOUTS, logs

import flowlens as fl

# A value that opens JSON, a payload or a page of HTML is none that AWS writes where a line begins.
OPENS_SOMETHING_ELSE = re.compile(r"[\[{<]|H4sI")


def expected(records, layout):
    return [as_read({column: rec[column] for column in layout}) for rec in records]


def with_event_times(records, layout):
    """Return records as they are read from where each has the time of its event before it, which is their start."""
    if "start" in layout:
        return expected(records, layout)
    return [{"start": 1_773_151_200, **rec} for rec in expected(records, layout)]


# --- Law 1 ---


def halves(wrap, records, names):
    """Wrap records as two payloads of a subscription."""
    half = len(records) // 2
    return wrap(*(payload(subscription(part, names)) for part in (records[:half], records[half:])))


COMPRESSED = {
    "plain": bytes,
    "gzip": gz,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "gzip of gzip": lambda data: gz(gz(data)),
}

#: Forms that hold lines of any format: records and columns to bytes
LINES = {
    "lines": lambda recs, names: text(recs, names, header=False),
    "export to S3": export_to_s3,
    "aws logs tail": tail,
    "aws logs tail --format short": functools.partial(tail, form="short"),
    "filter-log-events": functools.partial(filter_log_events, indent=2),
    "filter-log-events, compact pages": functools.partial(filter_log_events, indent=None, pages=2),
    "get-log-events": functools.partial(get_log_events, indent=None),
    "events[].message": line_array,
    "console CSV": console_csv,
    "console CSV, line ends in quotes": functools.partial(console_csv, newline="\n"),
    "subscription": subscription,
    "Lambda event": lambda recs, names: lambda_event(payload(subscription(recs, names))),
    "Kinesis event": functools.partial(halves, kinesis_event),
    "aws kinesis get-records": functools.partial(halves, get_records),
    "Firehose transformation": functools.partial(halves, firehose_transformation),
    "Firehose request": lambda recs, names: firehose_request(*firehose_lines(recs, names).splitlines(keepends=True)),
    "payloads": functools.partial(halves, lambda *parts: "\n".join(parts).encode()),
    "Firehose": firehose_lines,
    "Firehose, nothing between": functools.partial(firehose_lines, end=""),
    "Insights @message": functools.partial(insights_messages, indent=None),
}
#: Forms with names, of records that have both addresses and something that no query groups by
NAMED = {
    "JSON lines": json_lines,
    "JSON lines, nothing between": functools.partial(json_lines, end=""),
    "JSON lines, all text": functools.partial(json_lines, as_text=True),
    "JSON array": functools.partial(json_array, indent=None),
    "get-query-results": lambda recs, names: query_results([said(named(rec, str, names)) for rec in recs], indent=None),
    "CSV": lambda recs, names: csv_of(names, [[rec[name] for name in names] for rec in recs]),
    "CSV, all in quotes": lambda recs, names: csv_of(
        names, [[rec[name] for name in names] for rec in recs], quoting=csv.QUOTE_ALL
    ),
    "CSV with dashes": lambda recs, names: csv_of(
        names, [["-" if rec[name] is None else rec[name] for name in names] for rec in recs]
    ),
}
NAMED_LAYOUTS = st.tuples(LAYOUTS, st.sampled_from(["start", "end", "version", "log_status"])).map(
    lambda drawn: list(dict.fromkeys([*drawn[0], drawn[1], "dstaddr", "srcaddr"]))
)


def like_records(records, layout):
    """Tell whether the lines of records can be met: none begins as something else does, nor looks like a header."""
    return not any(OPENS_SOMETHING_ELSE.match(line(rec, layout)) for rec in records)


@pytest.mark.parametrize("form", LINES)
@settings(max_examples=12)
@given(log=logs(min_size=1, max_size=6), compress=st.sampled_from(sorted(COMPRESSED)))
def test_lines_of_any_format_are_what_was_written_in_every_form(form, log, compress):
    layout, records = log
    assume(like_records(records, layout))
    df = read(COMPRESSED[compress](LINES[form](records, layout)), fields=log_format(layout))
    timed = form.startswith(("export", "aws logs"))
    assert rows(df) == (with_event_times if timed else expected)(records, layout)
    if not timed:
        assert list(df.columns) == list(layout)


@pytest.mark.parametrize("form", NAMED)
@settings(max_examples=12)
@given(log=logs(NAMED_LAYOUTS, min_size=1, max_size=6), compress=st.sampled_from(sorted(COMPRESSED)))
def test_records_with_names_are_what_was_written_in_every_form(form, log, compress):
    layout, records = log
    df = read(COMPRESSED[compress](NAMED[form](records, layout)))
    assert rows(df) == expected(records, layout)
    assert list(df.columns) == list(layout)


@settings(max_examples=25)
@given(log=logs(min_size=1), compress=st.sampled_from(sorted(COMPRESSED)))
def test_text_and_parquet_are_what_was_written_under_every_compression(log, compress):
    layout, records = log
    assert rows(read(COMPRESSED[compress](text(records, layout)))) == expected(records, layout)
    assert rows(read(COMPRESSED[compress](parquet(records, layout)))) == expected(records, layout)


@pytest.mark.parametrize("form", [*LINES, *NAMED, "text", "Parquet"])
@settings(max_examples=8)
@given(log=logs(NAMED_LAYOUTS, min_size=1, max_size=5), data=st.data())
def test_a_choice_of_columns_is_that_of_all(form, log, data):
    layout, records = log
    assume(like_records(records, layout))
    write = {"text": text, "Parquet": parquet, **LINES, **NAMED}[form]
    wanted = data.draw(st.lists(st.sampled_from(layout), min_size=1, unique=True))
    df = read(write(records, layout), fields=log_format(layout), columns=wanted)
    assert list(df.columns) == wanted
    assert rows(df) == expected(records, wanted)


# --- Law 2 ---

#: A format of which no line with a value too few, or with another word at its end, is a record.
FORMAT = ["start", "srcaddr", "dstaddr", "srcport", "bytes", "vpc_id", "log_status"]
SOUND = logs(st.just(FORMAT), min_size=1, max_size=8).map(
    lambda log: [{**rec, "start": rec["start"] or 0, "log_status": rec["log_status"] or "OK"} for rec in log[1]]
)
#: What no line of this format is: text of any kind, no comment, not blank, no header, nothing in JSON or base64.
GARBAGE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=40).filter(
    lambda line: line.encode().split() and not re.match(rb"\s*(#|[\[{]|H4sI)|[a-z]", line.encode())
)
GARBAGE_BYTES = st.binary(min_size=1, max_size=40).filter(
    lambda line: line.split() and not re.search(rb"[\r\n]", line) and not re.match(rb"\s*#|[a-z]", line)
)


def mixed(records, garbage, seed):
    """Return records and garbage in a random order, each among its own kind in the order it had."""
    marks = [True] * len(records) + [False] * len(garbage)
    random.Random(seed).shuffle(marks)
    sound, bad = iter(records), iter(garbage)
    return [(mark, next(sound) if mark else next(bad)) for mark in marks]


def places(items):
    return [place for place, (sound, _) in enumerate(items, 1) if not sound]


SEEDS = st.integers(0, 2**16)


@settings(max_examples=60)
@given(records=SOUND, garbage=st.lists(st.one_of(GARBAGE.map(str.encode), GARBAGE_BYTES), max_size=5), seed=SEEDS,
       compress=st.sampled_from(sorted(COMPRESSED)), header=st.booleans())  # fmt: skip
def test_garbage_among_lines_is_reported_and_costs_nothing(records, garbage, seed, compress, header):
    items = mixed(records, garbage, seed)
    assume(header or not re.match(rb"[\[{<]|H4sI|.*[,;]|\xff\xfe|\xfe\xff|.*\0", items[0][1], re.DOTALL)
           if not items[0][0] else True)  # fmt: skip
    body = [line(item, FORMAT).encode() if sound else item for sound, item in items]
    head = [text([], FORMAT).strip()] if header else []
    assume(b"\0" not in b"".join(body))
    data = COMPRESSED[compress](b"\n".join([*head, *body, b""]))
    assert check(data, fields=log_format(FORMAT))["line"].tolist() == [place + header for place in places(items)]
    assert rows(read(data, fields=log_format(FORMAT), on_bad_lines="skip")) == expected(records, FORMAT)


def of_messages(write):
    """Return how to write an envelope around lines that are made already."""
    return lambda messages: write([{"start": 1, "line": message} for message in messages], ["line"])


MESSAGES = {
    name: of_messages(LINES[name])
    for name in LINES
    if name not in {"lines", "export to S3", "aws logs tail", "aws logs tail --format short"}
}


@pytest.mark.parametrize("form", MESSAGES)
@settings(max_examples=10)
@given(records=SOUND, garbage=st.lists(GARBAGE, max_size=4), seed=SEEDS)
def test_garbage_in_messages_is_reported_and_costs_nothing(form, records, garbage, seed):
    items = mixed(records, garbage, seed)
    data = MESSAGES[form]([line(item, FORMAT) if sound else item for sound, item in items])
    bad = check(data, fields=log_format(FORMAT))
    assert len(bad) == len(garbage)
    assert bad["text"].tolist() == garbage
    assert rows(read(data, fields=log_format(FORMAT), on_bad_lines="skip")) == expected(records, FORMAT)


#: Elements of a list of events or records that are neither.
STRANGE = st.sampled_from([5, 1.5, None, True, {"x": 1}, {}, "no line", {"message": "no line"}, {"message": 7}, [3]])


@settings(max_examples=40)
@given(records=SOUND, garbage=st.lists(STRANGE, max_size=4), seed=SEEDS, form=st.sampled_from(["events", "objects"]))
def test_strange_elements_of_a_list_are_reported_and_cost_nothing(records, garbage, seed, form):
    items = mixed(records, garbage, seed)
    if form == "events":
        elements = [events([item], FORMAT)[0] if sound else item for sound, item in items]
        data = json.dumps({"events": elements, "nextToken": "x"}).encode()
    else:
        data = json.dumps([item for _, item in items]).encode()
    bad = check(data, fields=log_format(FORMAT))
    assert bad["line"].tolist() == places(items)
    assert rows(read(data, fields=log_format(FORMAT), on_bad_lines="skip")) == expected(records, FORMAT)


#: What can come between two documents, or between two elements of a list, without an end of JSON in it.
NOISE = st.one_of(
    st.sampled_from(["{", '{"message"', '{"message": "2 1', '{"a": [1', "nan", "\x00", '"', "\\", "}", "{]"]),
    st.text(st.characters(codec="utf-8", exclude_characters='\r\n[]{},"'), min_size=1, max_size=20).filter(
        lambda noise: noise.strip()
    ),
)


@pytest.mark.parametrize("form", ["Firehose", "JSON lines"])
@settings(max_examples=40)
@given(records=SOUND, noise=st.lists(NOISE, max_size=4), seed=SEEDS)
def test_noise_between_documents_is_reported_and_costs_nothing(form, records, noise, seed):
    items = mixed(records, noise, seed)
    assume(items[0][0])  # a file that begins with noise is not told by it
    write = firehose_lines if form == "Firehose" else json_lines
    body = [write([item], FORMAT).decode() if sound else f"{item}\n" for sound, item in items]
    data = "".join(body).encode()
    bad = check(data, fields=log_format(FORMAT))
    # Two pieces of noise behind each other may be one to the reader, and '0 0' is two values, of a character at least.
    assert (len(noise) > 0) <= len(bad) <= sum(map(len, noise))
    assert rows(read(data, fields=log_format(FORMAT), on_bad_lines="skip")) == expected(records, FORMAT)


@settings(max_examples=40)
@given(
    records=SOUND,
    noise=st.lists(st.one_of(GARBAGE, st.sampled_from(['"', 'a,"b', '"a"b,c', ",,,", '""'])), max_size=4),
    seed=SEEDS,
)
def test_noise_between_rows_of_csv_is_reported_and_costs_nothing(records, noise, seed):
    items = mixed(records, noise, seed)
    body = [csv_of([], [[item[name] for name in FORMAT]]).decode().lstrip() if sound else f"{item}\n"
            for sound, item in items]  # fmt: skip
    data = "".join([f"{','.join(FORMAT)}\n", *body]).encode()
    assert check(data)["line"].tolist() == [place + 1 for place in places(items)]
    assert rows(read(data, on_bad_lines="skip")) == expected(records, FORMAT)


WRONG = {"start": "noon", "srcaddr": "10.0.0.256", "srcport": 65536, "bytes": -1, "log_status": "FINE"}


@pytest.mark.parametrize("form", [*NAMED, *LINES])
@settings(max_examples=8)
@given(records=SOUND, wrong=st.lists(st.sampled_from(sorted(WRONG)), max_size=3), seed=SEEDS)
def test_records_with_a_value_that_cannot_be_are_reported_and_cost_nothing(form, records, wrong, seed):
    items = mixed(records, [{**records[0], name: WRONG[name]} for name in wrong], seed)
    if form.startswith(
        ("export", "aws logs", "Insights @", "console", "get-log", "filter", "subscr", "Lambda", "Kine")
    ):
        assume("start" not in wrong)  # these builders need a time
    assume("start" not in wrong or form in NAMED)
    data = {**NAMED, **LINES}[form]([item for _, item in items], FORMAT)
    bad = check(data, fields=log_format(FORMAT))
    assert len(bad) == len(wrong)
    assert rows(read(data, fields=log_format(FORMAT), on_bad_lines="skip")) == expected(records, FORMAT)


# --- A file that is cut short ---

CUT = [
    record(bytes=number, vpc_id="vpc-1", srcaddr="2001:db8::1" if number == 11 else "10.0.0.1")
    for number in (11, 22, 33)
]


def ends(data, marks):
    """Return behind which byte each record is complete."""
    found, place = [], 0
    for mark in marks:
        place = data.index(mark, place) + len(mark)
        found.append(place)
    return found


def of_lines(data, _):
    return [found.end() for found in re.finditer(rb"(?:OK)", data)]


#: Forms, each with what ends a record in it (None where only the end of the file does), and whether a cut between two
#: records can be seen.
CUTTABLE = {
    "text": (text, b" OK", False),
    "lines": (LINES["lines"], b" OK", False),
    "export to S3": (export_to_s3, b" OK", False),
    "aws logs tail": (tail, b" OK", False),
    "filter-log-events": (functools.partial(filter_log_events, indent=1), b"}", True),
    "filter-log-events, compact": (functools.partial(filter_log_events, indent=None), b"}", True),
    "get-log-events": (functools.partial(get_log_events, indent=None), b"}", True),
    "events[].message": (line_array, b' OK"', True),
    "console CSV": (console_csv, b" OK", False),
    "subscription": (subscription, b"}", True),
    "Firehose": (firehose_lines, b' OK"}', False),
    "Firehose, nothing between": (functools.partial(firehose_lines, end=""), b' OK"}', False),
    "JSON lines": (json_lines, b'"OK"}', False),
    "JSON array": (functools.partial(json_array, indent=None), b'"OK"}', True),
    "get-query-results": (NAMED["get-query-results"], b"}]", True),
    "CSV": (NAMED["CSV"], b",OK", False),
    "CSV, all in quotes": (NAMED["CSV, all in quotes"], b',"OK"', False),
    **{
        form: (LINES[form], None, True)
        for form in ("Lambda event", "Kinesis event", "aws kinesis get-records", "Insights @message")
    },
    "payloads": (LINES["payloads"], None, False),
    "Parquet": (parquet, None, True),
    **{
        compress: (lambda recs, names, compress=compress: COMPRESSED[compress](text(recs, names)), None, True)
        for compress in ("gzip", "zstd", "bzip2", "gzip of gzip")
    },
}


@pytest.mark.parametrize("form", CUTTABLE)
def test_a_file_cut_at_any_byte_gives_no_wrong_record_and_loses_none_silently(form):
    write, mark, seen = CUTTABLE[form]
    data, whole = write(CUT, FORMAT), expected(CUT, FORMAT)
    complete = ends(data, [mark] * 3) if mark else [len(data)] * 3
    line_ends = [found.start() for found in re.finditer(b"\n", data)]
    boundaries = {0, *complete, *(place + 1 for place in complete), *line_ends, *(place + 1 for place in line_ends)}
    # Every fifth byte, and those around all places where something ends.
    near = {place + by for place in boundaries for by in range(-1, 2)}
    for cut in sorted({*range(0, len(data), 5), *(place for place in near if 0 <= place < len(data))}):
        part = data[:cut]
        bad = check(part, fields=log_format(FORMAT))
        try:
            found = rows(read(part, fields=log_format(FORMAT), on_bad_lines="skip"))
        except fl.ParseError:
            found = []
        if form.startswith("CSV") and len(found) > sum(place <= cut for place in complete):
            # The last value of a row without a line end may be all that there is, or the beginning of it.
            assert found[:-1] == whole[: len(found) - 1], cut
            continue
        assert found == whole[: len(found)], cut
        assert len(found) >= sum(place <= cut for place in complete), cut
        header = cut <= data.find(b"\n") + 1 and not found
        assert len(bad) or len(found) == 3 or header or (not seen and cut in boundaries), cut


# --- Split, joined and mixed ---


@settings(max_examples=25)
@given(log=logs(min_size=1), cuts=st.lists(st.floats(0, 1), max_size=4), data=st.data())
def test_members_of_compressed_streams_may_part_a_file_anywhere(log, cuts, data):
    layout, records = log
    whole = text(records, layout)
    pack = data.draw(st.sampled_from([gz, zstd, bz2.compress]))
    places_ = sorted({0, len(whole), *(int(cut * len(whole)) for cut in cuts)})
    parts = [pack(whole[begin:end]) for begin, end in itertools.pairwise(places_)]
    assert rows(read(b"".join(parts))) == expected(records, layout)


@settings(max_examples=25)
@given(logs_=st.lists(logs(min_size=1, max_size=3), min_size=1, max_size=3), fields=st.booleans())
def test_texts_with_headers_may_stand_behind_each_other(logs_, fields):
    data = b"".join(text(records, layout) for layout, records in logs_)
    found = read(data, fields="default" if fields else None)
    columns = list(dict.fromkeys(column for layout, _ in logs_ for column in layout))
    assert list(found.columns) == columns
    empty = dict.fromkeys(columns)
    assert rows(found) == [empty | rec for layout, records in logs_ for rec in expected(records, layout)]


JSON_LINES = [form for form in LINES if form in {
    "filter-log-events", "filter-log-events, compact pages", "get-log-events", "events[].message", "subscription",
    "Lambda event", "Kinesis event", "aws kinesis get-records", "Firehose request", "Firehose",
    "Firehose, nothing between", "Insights @message",
}]  # fmt: skip


@settings(max_examples=30)
@given(log=logs(NAMED_LAYOUTS, min_size=2, max_size=8), data=st.data())
def test_json_documents_of_all_forms_may_stand_behind_each_other(log, data):
    layout, records = log
    assume(like_records(records, layout))
    forms = data.draw(st.lists(st.sampled_from([*JSON_LINES, "JSON lines", "JSON array"]), min_size=2, max_size=4))
    between = data.draw(st.sampled_from([b"", b"\n", b" ", b",\n", b"\r\n"]))
    shares = [records[place :: len(forms)] for place in range(len(forms))]
    parts = [{**LINES, **NAMED}[form](share, layout) for form, share in zip(forms, shares, strict=True) if share]
    # Lines come first.
    pairs = sorted(zip(forms, shares, strict=True), key=lambda pair: pair[0] in NAMED)
    found = read(between.join(parts), fields=log_format(layout))
    assert rows(found) == [rec for _, share in pairs for rec in expected(share, layout)]


@settings(max_examples=30)
@given(log=logs(NAMED_LAYOUTS, min_size=1, max_size=8), data=st.data())
def test_records_may_be_split_over_files_of_all_forms(log, data):
    layout, records = log
    assume(like_records(records, layout))
    forms = {"text": text, "Parquet": parquet, **LINES, **NAMED}
    forms = {form: forms[form] for form in forms if not form.startswith(("export", "aws logs"))}
    files, rest = [], records
    while rest:
        count = data.draw(st.integers(1, len(rest)))
        write = forms[data.draw(st.sampled_from(sorted(forms)))]
        pack = COMPRESSED[data.draw(st.sampled_from(sorted(COMPRESSED)))]
        files.append(io.BytesIO(pack(write(rest[:count], layout))))
        rest = rest[count:]
    found = fl.read(files, fields=log_format(layout))
    assert {frozenset(rec.items()) for rec in rows(found)} == {frozenset(r.items()) for r in expected(records, layout)}
    assert rows(found[list(layout)]) == expected(records, layout)
    assert fl.check([io.BytesIO(file.getvalue()) for file in files], fields=log_format(layout)).empty


@settings(max_examples=30)
@given(log=logs(min_size=1, max_size=20), order=st.randoms(use_true_random=False), files=st.integers(1, 5))
def test_the_order_of_records_and_files_is_kept(log, order, files):
    layout, records = log
    shuffled = order.sample(records, len(records))
    parts = [
        shuffled[place : place + -(-len(shuffled) // files)]
        for place in range(0, len(shuffled), -(-len(shuffled) // files))
    ]
    found = fl.read([io.BytesIO(text(part, layout)) for part in parts])
    assert rows(found) == expected(shuffled, layout)


# --- Nesting ---

RECORD = b'{"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2", "start": 1}'


@pytest.mark.parametrize("levels", [1, 11, 13, 100, 480, 500, 900, 990, 1_000, 30_000])
@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        (b"[", b"]"),
        (b'{"a":', b"}"),
        (b'{"events":[', b"]}"),
        (b'{"message":', b"}"),
        (b'{"srcaddr":1,"dstaddr":[', b"]}"),
        (b'{"class_uid":4001,"src_endpoint":', b"}"),
    ],
)
def test_json_of_any_depth_is_reported_and_hides_no_record(opening, closing, levels):
    deep = opening * levels + b"1" + closing * levels
    data = RECORD + b"\n" + deep + b"\n" + RECORD
    bad = check(data)
    assert len(bad) >= 1
    assert len(read(data, on_bad_lines="skip")) == 2
    assert len(check(deep)) >= 1


# --- Large files go through Arrow, small and odd ones document by document; what is read must not depend on it ---

NASTY = ['a "quoted" text', "},{", "],[", '": "-", "', ': "-"', "\\", "\n", "{", "\u00e9", "-", "", "NaN", "007"]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NASTY),
    st.integers(0, 65535),
    st.sampled_from([2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -1]),
    st.sampled_from([1.0, 0.5, 1e16, 443.0]),
    st.sampled_from([["x"], {"y": 1}]),
)
ORDINARY = st.fixed_dictionaries(
    {
        "srcaddr": st.sampled_from(["10.0.0.1", "2001:db8::1"]),
        "dstaddr": st.just("10.0.0.2"),
        "start": st.just(1_773_151_200),
        "srcport": st.integers(0, 65535),
        "account_id": st.sampled_from(["051856882135", "unknown"]),
    }
)


def some(odd):
    """Return rows of which some are odd: such files are where two ways of reading could differ."""
    return st.lists(st.one_of(ORDINARY, ORDINARY, ORDINARY, odd), min_size=12, max_size=40)


RECORDS_OF_ANY_KIND = some(
    st.one_of(
        st.none(),
        st.tuples(ORDINARY, st.sampled_from(["srcport", "bytes", "note", "account_id", "message"]), VALUES).map(
            lambda drawn: {**drawn[0], drawn[1]: drawn[2]}
        ),
        st.dictionaries(st.sampled_from(["srcaddr", "dstport", "note"]), VALUES, max_size=2),
    )
)


def as_cells(row):
    if not isinstance(row, dict):
        return row
    cells = [
        {"field": name, "value": value if isinstance(value, str | None) else str(value)} for name, value in row.items()
    ]
    return cells + cells[:1] if row.get("srcport") == 7 else cells


def as_message(row):
    return row if row is None else {"message": json.dumps(row)}


def lines_between_controls(records):
    control = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL CONTROL MESSAGE"}]}
    some = [{"messageType": "DATA_MESSAGE", "logEvents": [as_message(row)] * 3} for row in records if row]
    return [control, *some, control, *some]


SHAPES = {
    "lines": lambda recs, dump: "\n".join(map(dump, recs)),
    "nothing between": lambda recs, dump: "".join(map(dump, recs)),
    "list": lambda recs, dump: dump(recs),
    "results": lambda recs, dump: dump({"results": [as_cells(row) for row in recs], "status": "Complete"}),
    "messages": lambda recs, dump: "\n".join(dump(as_message(row)) for row in recs),
    "events": lambda recs, dump: dump({"events": [as_message(row) for row in recs]}),
    "subscriptions": lambda recs, dump: "".join(map(dump, lines_between_controls(recs))),
    "list of texts": lambda recs, dump: dump([json.dumps(row) for row in recs]),
}
DUMPS = {
    "compact": functools.partial(json.dumps, separators=(",", ":")),
    "usual": json.dumps,
    "pretty": functools.partial(json.dumps, indent=2, ensure_ascii=False),
}


def outcome(data):
    """Return all that a file gives, or the error."""
    try:
        bad = check(data)
        df = read(data, on_bad_lines="skip")
    except fl.ParseError as error:
        return str(error)
    return sorted(df.columns), df[sorted(df.columns)].astype("str").to_numpy().tolist(), bad.to_numpy().tolist()


@pytest.mark.parametrize("dump", DUMPS)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=15)
@given(records=RECORDS_OF_ANY_KIND, cut=st.integers(0, 400))
def test_what_is_read_does_not_depend_on_the_way(shape, dump, records, cut):
    data = SHAPES[shape](records, DUMPS[dump]).encode()
    data = data[: len(data) - cut] if cut < 40 else data
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowlens.parse.pieces._PIECE", 200)
        in_pieces = outcome(data)
        patch.setattr("flowlens.parse.plain_documents.taken", lambda *_, **__: None)
        assert outcome(data) == in_pieces
