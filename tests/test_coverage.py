"""What a log covers and where it has holes, worked out by hand."""

import pandas as pd
import pytest
from formats import START, frame, names_of, nodata, read, record, rows, text, tuples
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import TRAFFIC

import flowlens as fl


def window(number, eni="eni-a", **changes):
    """A record that fills one of the one-minute windows."""
    start = START + 60 * number
    return record(**{"start": start, "end": start + 60, "interface_id": eni, **changes})


def silent(number, eni="eni-a", status="NODATA"):
    start = START + 60 * number
    return nodata(start=start, end=start + 60, interface_id=eni, log_status=status)


def test_coverage_counts_per_interface():
    df = frame(window(0), window(0), silent(1), silent(2, status="SKIPDATA"), window(9), window(3, "eni-b"))
    assert rows(df.flow.coverage()) == [
        {"interface_id": "eni-a", "records": 5, "first": START, "last": START + 600, "nodata": 1, "skipdata": 1,
         "gap_time": 360},
        {"interface_id": "eni-b", "records": 1, "first": START + 180, "last": START + 240, "nodata": 0, "skipdata": 0,
         "gap_time": 0},
    ]  # fmt: skip


def test_gaps_are_listed_in_order_and_add_up_to_the_gap_time():
    df = frame(window(10, "eni-b"), window(0, "eni-b"), window(20), window(10), window(0))
    assert rows(df.flow.gaps()) == [
        {"interface_id": "eni-a", "start": START + 60, "end": START + 600, "duration": 540},
        {"interface_id": "eni-a", "start": START + 660, "end": START + 1200, "duration": 540},
        {"interface_id": "eni-b", "start": START + 60, "end": START + 600, "duration": 540},
    ]
    assert df.flow.coverage()["gap_time"].dt.total_seconds().tolist() == [1080, 540]


@pytest.mark.parametrize(("missing_windows", "gaps"), [(0, 0), (1, 0), (2, 1)])
def test_a_gap_is_two_windows_or_more(missing_windows, gaps):
    assert len(frame(window(0), window(1 + missing_windows)).flow.gaps()) == gaps


def test_records_timed_by_their_packets_show_no_gap_where_no_window_is_missing():
    early, late = START + 5, START + 60 + 55
    df = frame(record(start=early, end=early), record(start=late, end=late))
    assert df.flow.gaps().empty


def test_nodata_records_fill_what_would_be_a_gap():
    assert frame(window(0), *(silent(number) for number in range(1, 5)), window(5)).flow.gaps().empty


def test_a_long_record_covers_the_short_ones_inside_it():
    assert frame(window(0, end=START + 900), window(3), window(15)).flow.gaps().empty


def test_in_ten_minute_windows_a_gap_is_twenty_minutes():
    def slow(number):
        return record(start=START + 600 * number, end=START + 600 * number + 600)

    assert frame(slow(0), slow(2)).flow.gaps().empty
    assert rows(frame(slow(0), slow(3)).flow.gaps()[["duration"]]) == [{"duration": 1200}]


def test_records_of_a_regional_nat_gateway_have_no_interface_and_are_covered_all_the_same():
    found = frame(window(0, None), window(9, None), window(0)).flow.coverage()
    assert [(row["interface_id"], row["records"], row["gap_time"]) for row in rows(found)] == [
        ("eni-a", 1, 0),
        (None, 2, 480),
    ]


def test_columns_and_dtypes():
    df = frame(window(0), window(9))
    assert df.flow.coverage().dtypes[["records", "nodata", "skipdata"]].tolist() == ["int64"] * 3
    assert df.flow.coverage()["gap_time"].dtype == "timedelta64[s]"
    assert df.flow.gaps().dtypes[["start", "end"]].astype(str).tolist() == ["datetime64[s, UTC]"] * 2


def test_window_spans_from_the_first_start_to_the_last_end():
    df = frame(window(3), window(0), window(1, end=START + 7000))
    assert df.flow.window == (pd.Timestamp(START, unit="s", tz="UTC"), pd.Timestamp(START + 7000, unit="s", tz="UTC"))


def test_coverage_needs_the_status_and_says_so():
    df = frame(window(0)).drop(columns="log_status")
    with pytest.raises(fl.MissingFieldError, match=r"\$\{log-status\}"):
        df.flow.coverage()


def by_loop(records, interval):
    """Find the gaps of each interface by walking along its records."""
    found = []
    for eni in [*sorted({rec["interface_id"] for rec in records} - {None}), None]:
        covered = None
        for rec in sorted((rec for rec in records if rec["interface_id"] == eni), key=lambda rec: rec["start"]):
            if covered is not None and rec["start"] - covered >= 2 * interval:
                found.append((eni, covered, rec["start"], rec["start"] - covered))
            covered = max(covered or 0, rec["end"])
    return found


@settings(max_examples=25)
@given(records=TRAFFIC, long=st.booleans())
def test_on_random_traffic_a_loop_over_the_records_finds_the_same_gaps_and_counts(records, long):
    if long:
        records = [dict(rec, end=rec["start"] + 599) for rec in records]
    df = read(text(records, names_of(records)))
    gaps = by_loop(records, 600 if long else 60)
    assert tuples(df.flow.gaps()) == gaps
    for row in rows(df.flow.coverage()):
        own = [rec for rec in records if rec["interface_id"] == row["interface_id"]]
        assert row["records"] == len(own)
        assert (row["first"], row["last"]) == (min(rec["start"] for rec in own), max(rec["end"] for rec in own))
        assert row["nodata"] == sum(rec["log_status"] == "NODATA" for rec in own)
        assert row["skipdata"] == sum(rec["log_status"] == "SKIPDATA" for rec in own)
        assert row["gap_time"] == sum(gap[3] for gap in gaps if gap[0] == row["interface_id"])
