"""Times below the pictures of explorers are those that people divide time by, on the clocks of the zone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlens.explore import words
from flowlens.timespan import Zone

DAY = 86_400
MIDNIGHT = int(pd.Timestamp("2026-03-10", tz="UTC").timestamp())


def written(begin, end, zone="UTC"):
    edges = words.edges_of(begin, end, words.width_of(begin, end))
    return edges, words.ticks(edges, zone)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (10, ["03-10 00:00", "00:00:02", "00:00:04", "00:00:06", "00:00:08", "00:00:10"]),
        (3600, ["03-10 00:00", "00:10", "00:20", "00:30", "00:40", "00:50", "01:00"]),
        (DAY - 1, ["03-10 00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "03-11 00:00"]),
        (2 * DAY - 1, ["03-10 00:00", "06:00", "12:00", "18:00", "03-11 00:00", "06:00", "12:00", "18:00",
                       "03-12 00:00"]),
        (7 * DAY, [f"2026-03-{day}" for day in range(10, 18)]),
        (30 * DAY, ["2026-03-12", "2026-03-19", "2026-03-26", "2026-04-02", "2026-04-09"]),
    ],
)  # fmt: skip
def test_they_are_round(length, expected):
    assert [text for _, text in written(MIDNIGHT, MIDNIGHT + length)[1]] == expected


@pytest.mark.parametrize(
    ("zone", "first", "length", "expected"),
    [
        ("Asia/Kolkata", "2026-03-10", DAY - 1,
         ["03-10 06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "03-11 00:00", "03:00"]),
        # Bins of an hour begin at half past.
        ("Asia/Kolkata", "2026-03-10", 6 * DAY, [f"2026-03-{day} 00:30" for day in range(11, 17)]),
        # Clocks go from 02:00 to 03:00.
        ("Europe/Berlin", "2026-03-28 22:00", DAY,
         ["03-29 00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "03-30 00:00"]),
    ],
)  # fmt: skip
def test_they_are_round_on_the_clocks_of_the_zone(zone, first, length, expected, monkeypatch):
    monkeypatch.setitem(words.ZONES, "local", Zone.of(zone))
    begin = int(pd.Timestamp(first, tz="UTC").timestamp())
    assert [text for _, text in written(begin, begin + length, "local")[1]] == expected


@given(begin=st.integers(0, 2**32), length=st.integers(0, 20 * 365 * DAY))
def test_they_are_some_of_the_edges_and_say_when_that_is(begin, length):
    edges, ticks = written(begin, begin + length)
    assert 1 <= len(ticks) <= 10
    assert {place for place, _ in ticks} <= {float(edge) for edge in edges}
    for place, text in ticks:
        moment = pd.Timestamp(int(place), unit="s", tz=ZoneInfo("UTC"))
        assert text.endswith(moment.strftime("%H:%M")) or text in moment.strftime("%Y-%m-%d %H:%M:%S")
