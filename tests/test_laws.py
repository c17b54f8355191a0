"""The laws of the house that hold so far, on random records.

Law 1: parse ∘ format = identity. Law 2: no record is lost silently. Law 6: order, files and unrelated traffic change
no answer.
"""

import random

import pandas as pd
import pytest
from formats import as_read, check, gz, line, log_format, names_of, parquet, read, rows, text, tuples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import LAYOUTS, TRAFFIC, UNRELATED, logs

import flowlens as fl


def expected(records, layout):
    return [as_read({column: rec[column] for column in layout}) for rec in records]


# --- Law 1 ---


@given(log=logs())
def test_what_is_written_is_what_is_read(log):
    layout, records = log
    assert rows(read(text(records, layout))) == expected(records, layout)


@given(log=logs(min_size=1))
def test_what_is_written_without_header_is_what_is_read_with_the_log_format(log):
    layout, records = log
    df = read(gz(text(records, layout, header=False)), fields=log_format(layout))
    assert list(df.columns) == list(layout)
    assert rows(df) == expected(records, layout)


@given(log=logs(min_size=1))
def test_what_is_written_as_parquet_is_what_is_read(log):
    layout, records = log
    assert rows(read(parquet(records, layout))) == expected(records, layout)


@given(log=logs(min_size=1), seed=st.integers(0, 99))
def test_oddities_that_change_no_value_change_no_record(log, seed):
    layout, records = log
    odd, random_ = text(records, layout).decode().splitlines(), random.Random(seed)
    for place in range(1, len(odd)):
        odd[place] = random_.choice(["{}", " {}", "{}  ", "{} # said by hand", "{}\r", "\n{}", "#\n{}"]).format(
            odd[place].replace(" ", random_.choice([" ", "  ", "\t"]))
        )
    assert rows(read("\n".join(odd).encode())) == expected(records, layout)


# --- Law 2 ---

#: Ways to spoil a line of the format below, whatever it holds.
SPOILED = {
    "a value too few": lambda values: values[:-1],
    "a value too many": lambda values: [*values, "6"],
    "a port that is a name": lambda values: ["https" if place == 3 else v for place, v in enumerate(values)],
    "a port out of range": lambda values: ["65536" if place == 3 else v for place, v in enumerate(values)],
    "a hexadecimal port": lambda values: ["0x50" if place == 3 else v for place, v in enumerate(values)],
    "no address": lambda values: ["10.0.0.256" if place == 1 else v for place, v in enumerate(values)],
    "an unknown action": lambda values: ["DENY" if place == 5 else v for place, v in enumerate(values)],
    "negative bytes": lambda values: ["-840" if place == 4 else v for place, v in enumerate(values)],
    "no time": lambda values: ["yesterday" if place == 6 else v for place, v in enumerate(values)],
}
FORMAT = ["interface_id", "srcaddr", "dstaddr", "dstport", "bytes", "action", "start", "vpc_id"]


@given(
    log=logs(st.just(FORMAT), min_size=1, max_size=40),
    spoiled=st.lists(st.tuples(st.integers(0, 39), st.sampled_from(sorted(SPOILED))), max_size=6),
    columns=st.one_of(st.none(), st.just(["dstaddr", "vpc_id", "dstport", "srcaddr", "action", "bytes", "start"])),
)
def test_every_line_is_a_record_or_is_reported(log, spoiled, columns):
    _, records = log
    written = [line(rec, FORMAT).split(" ") for rec in records]
    bad = {place: SPOILED[how] for place, how in spoiled if place < len(records)}
    lines = [" ".join(bad[place](values) if place in bad else values) for place, values in enumerate(written)]
    data = "\n".join([" ".join(name.replace("_", "-") for name in FORMAT), *lines]).encode()

    df, reported = read(data, on_bad_lines="skip", columns=columns), check(data)

    assert reported["line"].tolist() == [place + 2 for place in sorted(bad)]
    assert reported["text"].tolist() == [lines[place] for place in sorted(bad)]
    good = [rec for place, rec in enumerate(records) if place not in bad]
    assert rows(df) == expected(good, columns or FORMAT)


@given(log=logs(LAYOUTS, min_size=1, max_size=8), copies=st.integers(1, 400), where=st.floats(0, 1))
def test_a_bad_line_deep_in_a_large_file_costs_no_other(log, copies, where):
    layout, records = log
    many = records * copies
    lines = text(many, layout).decode().splitlines()
    place = 1 + int(where * len(many))
    lines.insert(place, "one two three four five six seven eight nine ten " * 3)
    data = "\n".join(lines).encode()
    assert check(data)["line"].tolist() == [place + 1]
    assert rows(read(data, on_bad_lines="skip")) == expected(many, layout)


@given(log=logs(st.just(FORMAT), min_size=1), cut=st.floats(0, 1))
def test_a_gzip_cut_anywhere_gives_whole_lines_and_a_report(log, cut):
    _, records = log
    data = text(records, FORMAT)
    packed = gz(data)
    part = packed[: max(3, int(cut * (len(packed) - 1)))]
    reported = check(part)
    assert len(reported) == 1
    assert "truncated" in reported["reason"][0]
    try:
        df = read(part, on_bad_lines="skip")
    except fl.ParseError:
        return  # not even the header is whole
    whole = expected(records, FORMAT)
    assert rows(df) == whole[: len(df)]


# --- Law 6 ---

VERBS = {
    "top_talkers": lambda flow: flow.top_talkers(None),
    "timeline": lambda flow: flow.timeline("2min"),
    "pairs": lambda flow: flow.pairs(keys=("srcaddr", "dstaddr", "dstport", "action")),
    "ports": lambda flow: flow.ports(),
    "fan_out": lambda flow: flow.fan_out(),
    "rejected_by_port": lambda flow: flow.rejected_by_port([22, 443], freq="10min", threshold=2),
    "top_contributors": lambda flow: flow.top_contributors(("srcaddr", "dstport"), n=2, freq="10min"),
    "conversations": lambda flow: flow.conversations(timeout=180),
    "coverage": lambda flow: flow.coverage(),
    # Records without an interface are all of one, whoever they belong to.
    "gaps": lambda flow: flow.gaps().dropna(),
}


@pytest.mark.parametrize("name", VERBS)
@settings(max_examples=12)
@given(records=TRAFFIC, order=st.randoms(use_true_random=False), files=st.integers(1, 4))
def test_order_and_files_change_no_answer(tmp_path_factory, name, records, order, files):
    verb, names = VERBS[name], names_of(records)
    shuffled = order.sample(records, len(records))
    folder = tmp_path_factory.mktemp("files")
    for number in range(files):
        (folder / f"{number}.log").write_bytes(text(shuffled[number::files], names))
    pd.testing.assert_frame_equal(verb(fl.read(folder).flow), verb(read(text(records, names)).flow))


@pytest.mark.parametrize("name", ["pairs", "conversations", "fan_out", "gaps"])
@settings(max_examples=12)
@given(records=TRAFFIC, others=UNRELATED, order=st.randoms(use_true_random=False))
def test_unrelated_traffic_changes_no_answer(name, records, others, order):
    verb, names = VERBS[name], names_of(records)
    alone = verb(read(text(records, names)).flow)
    mixed = verb(read(text(order.sample([*records, *others], len(records) + len(others)), names)).flow)
    assert set(tuples(alone)) <= set(tuples(mixed))


@pytest.mark.parametrize("name", VERBS)
@settings(max_examples=12)
@given(records=TRAFFIC)
def test_plain_text_columns_and_categories_give_the_same_answers(name, records):
    verb = VERBS[name]
    df = read(text(records))
    plain = df.astype({name: "object" for name in df.columns if df[name].dtype == "category"})
    pd.testing.assert_frame_equal(verb(plain.flow), verb(df.flow))
