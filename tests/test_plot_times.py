"""Pictures by day and hour, of what the log covers, and the time zone in which all pictures over time are."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from formats import START, frame, nodata, record
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import flowlens as fl

ENI = "eni-1235b8ca123456789"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def logged(*moments: str, **changes: object) -> list[dict[str, object]]:
    return [record(start=at(moment), end=at(moment) + 59, **changes) for moment in moments]


def ticks(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def cells(ax: Axes) -> dict[tuple[int, int], float]:
    """Return what has a colour, by row and hour."""
    _, mesh = ax.collections
    amounts = np.ma.masked_array(mesh.get_array()).reshape(-1, 24)
    return {(int(row), int(hour)): amounts[row, hour] for row, hour in np.argwhere(~np.ma.getmaskarray(amounts))}


def inside(ax: Axes) -> set[tuple[int, int]]:
    """Return the hours that the records cover; the hatched ground shows elsewhere."""
    ground, _ = ax.collections
    painted = ~np.ma.getmaskarray(np.ma.masked_array(ground.get_array()).reshape(-1, 24))
    return {(int(row), int(hour)) for row, hour in np.argwhere(painted)}


# --- By day and hour ---


def test_each_record_counts_in_the_hour_and_day_of_its_start():
    df = frame(*logged("2026-03-10 13:59:59", "2026-03-10 14:00:00", "2026-03-10 14:59:59", "2026-03-12 00:00:00"))
    ax = df.flow.plot.heatmap()
    assert cells(ax) == {(0, 13): 1, (0, 14): 2, (2, 0): 1}
    assert ticks(ax) == ["Tue 2026-03-10", "Wed 2026-03-11", "Thu 2026-03-12"]
    assert [label.get_text() for label in ax.get_xticklabels()] == [str(hour) for hour in range(24)]
    bottom, top = ax.get_ylim()
    assert bottom > top, "the first day has to be on top"
    assert ax.get_title() == "Flows by day and hour, UTC"


def test_an_hour_without_traffic_looks_different_from_one_outside_of_the_log():
    df = frame(
        *logged("2026-03-10 13:10:00", "2026-03-10 15:00:00"),
        nodata(start=at("2026-03-10 16:30"), end=at("2026-03-10 16:31")),
    )
    ax = df.flow.plot.heatmap()
    assert cells(ax).keys() == {(0, 13), (0, 15)}
    assert inside(ax) == {(0, 13), (0, 14), (0, 15), (0, 16)}, "a NODATA record covers its time"
    ground, _ = ax.collections
    assert to_hex(ground.cmap(0.0)) == to_hex(ax.get_facecolor()), "no traffic is no colour"
    assert ax.patch.get_hatch()
    assert ax.get_xlabel().split("\n")[1] == "blank: no traffic; hatched: outside of these records"


def test_a_log_that_ends_at_midnight_has_no_hour_of_the_next_day():
    ax = frame(record(start=at("2026-03-10 23:59"), end=at("2026-03-11 00:00"))).flow.plot.heatmap()
    assert (len(ticks(ax)), inside(ax)) == (1, {(0, 23)})


def test_of_a_whole_day_with_traffic_nothing_has_to_be_explained():
    df = frame(*[record(start=at("2026-03-10 00:00") + hour * 3600) for hour in range(24)])
    assert df.flow.plot.heatmap().get_xlabel() == "hour of day, UTC"


@pytest.mark.parametrize(("values", "amount"), [("bytes", 1680), ("packets", 20), ("flows", 2)])
def test_a_heat_map_shows_the_measure_it_is_asked_for(values, amount):
    ax = frame(record(), record(start=START + 60)).flow.plot.heatmap(values=values)
    assert cells(ax) == {(0, 14): amount}
    bar = ax.figure.axes[-1]
    assert bar.get_ylabel() == f"{values} in an hour"
    assert bar.yaxis.get_major_formatter()(1e9) == ("1 GB" if values == "bytes" else "1 G")


def test_traffic_without_bytes_has_no_colour_and_can_be_drawn(tmp_path):
    ax = frame(record(bytes=None)).flow.plot.heatmap(values="bytes")
    assert (cells(ax), inside(ax)) == ({}, {(0, 14)})
    ax.figure.savefig(tmp_path / "blank.png")


def test_half_as_much_traffic_is_far_from_none_in_colour():
    ax = frame(*logged(*["2026-03-10 13:00"] * 300, *["2026-03-10 14:00"] * 150)).flow.plot.heatmap()
    _, mesh = ax.collections
    assert mesh.norm(300) == 1
    assert 0.8 < mesh.norm(150) < 0.9


def test_numbers_stand_in_cells_that_have_room_for_them():
    df = frame(*logged(*["2026-03-10 13:00"] * 1234, "2026-03-11 14:00"))
    assert sorted(note.get_text() for note in df.flow.plot.heatmap().texts) == ["1", "1.23k"]
    _, small = plt.subplots(figsize=(5, 3))
    assert not df.flow.plot.heatmap(ax=small).texts
    assert [label.get_text() for label in small.get_xticklabels()] == ["0", "3", "6", "9", "12", "15", "18", "21"]


def test_a_year_of_days_is_as_high_as_a_page_and_names_a_dozen_of_them():
    days = [record(start=at("2026-01-01 12:00") + day * 86_400) for day in range(365)]
    ax = frame(*days).flow.plot.heatmap()
    assert len(cells(ax)) == 365
    assert ticks(ax)[:3] == ["Thu 2026-01-01", "Sun 2026-02-01", "Sun 2026-03-01"]
    assert len(ticks(ax)) == 12
    assert ax.get_yticks()[1] == 31.5
    assert ax.figure.get_size_inches()[1] <= 10
    assert not ax.texts


@pytest.mark.parametrize(("days", "labels"), [(40, 40), (41, 6), (280, 40), (300, 10), (40 * 365, 40), (90 * 366, 31)])
def test_so_many_days_have_so_many_labels(days, labels):
    ax = frame(*[record(start=moment, end=moment) for moment in (0, 86_400 * (days - 1))]).flow.plot.heatmap()
    assert len(ticks(ax)) == labels


def test_in_a_zone_an_hour_that_clocks_skip_is_empty_and_one_they_repeat_is_summed_up():
    # https://en.wikipedia.org/wiki/Summer_time_in_Europe: at 01:00 UTC on the last Sundays of March and October.
    spring = frame(*[record(start=at("2026-03-29 00:00") + hour * 3600) for hour in range(3)])
    ax = spring.flow.plot.heatmap(tz="Europe/Berlin")
    assert cells(ax) == {(0, 1): 1, (0, 3): 1, (0, 4): 1}
    assert inside(ax) == {(0, 1), (0, 3), (0, 4)}
    autumn = frame(*[record(start=at("2026-10-24 23:00") + hour * 3600) for hour in range(4)])
    ax = autumn.flow.plot.heatmap(tz="Europe/Berlin")
    assert cells(ax) == {(0, 1): 1, (0, 2): 2, (0, 3): 1}
    assert ticks(ax) == ["Sun 2026-10-25"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Asia/Kolkata", {(0, 19): 1, (0, 20): 1}),
        ("Asia/Kathmandu", {(0, 19): 1, (0, 20): 1}),
        ("America/New_York", {(0, 10): 2}),
        ("Pacific/Auckland", {(0, 3): 2}),
    ],
)
def test_records_are_in_the_hour_of_the_zone_also_where_that_is_no_hour_of_utc(zone, expected):
    # 14:10 and 14:50 UTC: 19:40 and 20:20 in Kolkata, 19:55 and 20:35 in Kathmandu.
    ax = frame(*logged("2026-03-10 14:10", "2026-03-10 14:50")).flow.plot.heatmap(tz=zone)
    assert cells(ax) == expected
    assert ax.get_title() == f"Flows by day and hour, {zone}"
    assert ax.get_xlabel().startswith(f"hour of day, {zone}")


def test_summer_time_of_half_an_hour_is_seen_although_the_log_begins_and_ends_outside_of_it():
    # Lord Howe: +11:00 in January, +10:30 in July (tz database).
    df = frame(*logged("2026-01-10 00:10", "2026-07-10 14:10", "2026-07-10 14:50", "2027-01-10 00:10"))
    ax = df.flow.plot.heatmap(tz="Australia/Lord_Howe")
    assert sorted(cells(ax).items()) == [((0, 11), 1), ((182, 0), 1), ((182, 1), 1), ((365, 11), 1)]


def test_a_heat_map_and_a_coverage_of_a_scan_are_those_of_the_frame(tmp_path):
    df = frame(*logged("2026-03-10 13:00", "2026-03-10 15:00"), *logged("2026-03-11 01:00", interface_id="eni-0b"))
    df.flow.to_parquet(tmp_path)
    scan = fl.scan(tmp_path)
    assert cells(scan.plot.heatmap()) == cells(df.flow.plot.heatmap()) != {}
    assert lanes(scan.plot.coverage()) == lanes(df.flow.plot.coverage()) != {}


def test_a_measure_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"plot.heatmap: values='peers'"):
        frame(record()).flow.plot.heatmap(values="peers")
    assert plt.get_fignums() == []


# --- What the log covers ---


def lanes(ax: Axes) -> dict[str, list[tuple[str, int, int]]]:
    """Return the bars of each interface: what they are, and from when to when in seconds from the start."""
    names, found = ticks(ax), {}
    for bars in ax.containers:
        for bar in bars:
            begin = mdates.num2date(bar.get_x()).timestamp() - START
            place = round(bar.get_y() + bar.get_height() / 2)
            seconds = round(begin), round(begin + bar.get_width() * 86_400)
            found.setdefault(names[place], []).append((bars.get_label(), *seconds))
    return found


def beside(ax: Axes) -> list[str]:
    return [note.get_text() for note in sorted(ax.texts, key=lambda note: note.get_position()[1])]


COVERED = frame(
    record(),
    record(start=START + 60, end=START + 118),
    nodata(start=START + 120, end=START + 179),
    record(start=START + 7200, end=START + 7260),
    record(interface_id="eni-0b", start=START + 3600, end=START + 3900),
    record(interface_id="eni-0b", start=START + 3900, end=START + 4200),
    nodata(interface_id="eni-0b", start=START + 4200, end=START + 4260, log_status="SKIPDATA"),
)


def test_each_interface_is_a_bar_from_first_to_last_and_its_gaps_look_different():
    ax = COVERED.flow.plot.coverage()
    gap = "gap: no record, not even NODATA"
    assert lanes(ax) == {ENI: [("records", 0, 7260), (gap, 179, 7200)], "eni-0b": [("records", 3600, 4260)]}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["records", gap]
    records, gaps = ax.containers
    assert gaps[0].get_hatch() != records[0].get_hatch()
    assert ax.get_title(loc="left") == "What the log covers, 2 interfaces, UTC"


def test_beside_each_lane_stand_its_counts_and_its_first_and_last_time():
    assert beside(COVERED.flow.plot.coverage()) == [
        "4 records, 1 NODATA, 1 gap, 01:57:01\n2026-03-10 14:00:00 to 2026-03-10 16:01:00",
        "3 records, 1 SKIPDATA\n2026-03-10 15:00:00 to 2026-03-10 15:11:00",
    ]
    assert beside(COVERED.flow.plot.coverage(tz="Asia/Tokyo"))[1].endswith("2026-03-11 00:00:00 to 2026-03-11 00:11:00")


def test_the_busiest_interfaces_are_drawn_and_the_title_says_of_how_many():
    many = [record(interface_id=f"eni-{n:02}") for n in range(40) for _ in range(1 + (n == 33))]
    ax = frame(*many).flow.plot.coverage()
    assert (len(ticks(ax)), ticks(ax)[0]) == (30, "eni-33")
    assert ax.get_title(loc="left") == "What the log covers, the 30 busiest of 40 interfaces, UTC"
    assert ticks(frame(*many).flow.plot.coverage(n=2)) == ["eni-33", "eni-00"]
    gone = frame(*many, *logged("2026-03-10 18:00", interface_id="eni-05")).flow.plot.coverage(n=1)
    assert [label for label, *_ in lanes(gone)["eni-05"]] == ["records", "gap: no record, not even NODATA"]


def test_a_lane_without_gaps_has_no_word_of_them_in_the_legend():
    ax = frame(record()).flow.plot.coverage()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["records"]
    assert beside(ax) == ["1 record\n2026-03-10 14:00:00 to 2026-03-10 14:00:59"]
    left, right = (mdates.num2date(x).timestamp() - START for x in ax.get_xlim())
    assert left < 0 < 59 < right, "all of the record is seen"


def test_a_moment_in_a_long_log_is_wide_enough_to_be_seen():
    month = [record(start=START + wait, end=START + wait + 59) for wait in (0, 86_400 * 30)]
    df = frame(*month, record(interface_id="eni-0b", start=START, end=START))
    (bar,) = lanes(df.flow.plot.coverage())["eni-0b"]
    assert bar[2] - bar[1] == pytest.approx((86_400 * 30 + 59) / 300, rel=0.01)


def test_ten_thousand_short_gaps_in_a_year_are_shown_together_and_counted():
    moments = [START + 3000 * n for n in range(10_000)]
    ax = frame(*[record(start=moment, end=moment + 59) for moment in moments]).flow.plot.coverage()
    last = moments[-1] + 59 - START
    together = "gaps too short to draw one by one"
    assert lanes(ax) == {ENI: [("records", 0, last), (together, 0, pytest.approx(last, abs=1))]}
    assert beside(ax)[0].startswith("10,000 records, 9,999 gaps, 340 days")
    assert len(ax.patches) == 2


def test_short_gaps_are_shown_where_they_are():
    # A record every ten minutes for 100 days, and for one hour on the 50th a gap of twenty.
    day = 144
    windows = [record(start=START + 600 * n, end=START + 600 * n + 599) for n in range(100 * day)]
    del windows[50 * day + 1 : 50 * day + 3]
    _, (label, begin, end) = lanes(frame(*windows).flow.plot.coverage())[ENI]
    assert label == "gaps too short to draw one by one"
    assert begin <= 50 * 86_400 + 600 < 50 * 86_400 + 1800 <= end
    assert end - begin <= 2 * 100 * 86_400 / 500 + 1


def test_records_without_an_interface_are_a_lane_and_have_gaps():
    df = frame(*logged("2026-03-10 14:00", "2026-03-10 15:00", interface_id=None), record())
    found = lanes(df.flow.plot.coverage())
    assert [label for label, *_ in found["(none)"]] == ["records", "gap: no record, not even NODATA"]
    assert len(found[ENI]) == 1


def test_a_log_of_nodata_alone_is_covered():
    assert beside(frame(nodata()).flow.plot.coverage())[0].startswith("1 record, 1 NODATA\n")


@pytest.mark.parametrize("n", [-1, 1.5, "3"])
def test_coverage_is_asked_for_a_number_of_interfaces(n):
    with pytest.raises(ValueError, match="n="):
        COVERED.flow.plot.coverage(n=n)


# --- Zones ---

BEACON = fl.sample().flow.beacons().loc[0]
REFUSED = fl.sample().flow.diagnose().iloc[-1]
OVER_TIME = {
    "timeline": lambda df, **options: df.flow.plot.timeline(freq="1h", **options),
    "heatmap": lambda df, **options: df.flow.plot.heatmap(**options),
    "coverage": lambda df, **options: df.flow.plot.coverage(**options),
    "conversation": lambda df, **options: df.flow.plot.conversation(REFUSED, **options),
    "beacon": lambda df, **options: df.flow.plot.beacon(BEACON, **options),
}
over_time = pytest.mark.parametrize("picture", OVER_TIME)


@over_time
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_pictures_over_time_say_their_zone_and_write_times_in_it(picture, zone):
    with mpl.rc_context({"timezone": "Asia/Tokyo"}):
        ax = OVER_TIME[picture](fl.sample(), tz=zone)
        assert zone in ax.get_xlabel()
        if picture in {"timeline", "heatmap"}:
            assert ax.get_title().endswith(f", {zone}")
        if picture == "heatmap":
            return
        ax.figure.canvas.draw()
        (place, label) = next(
            (tick.get_loc(), tick.label1.get_text())
            for tick in ax.xaxis.get_major_ticks()
            if ":" in tick.label1.get_text()
        )
    expected = mdates.num2date(place).astimezone(pd.Timestamp.now(tz=zone).tz)
    assert label in {f"{expected:%H:%M}", f"{expected:%M:%S}"}


@over_time
@pytest.mark.parametrize("wrong", ["Mars/Olympus", "europe/berlin!", "", "Europe", "../etc/passwd", None, 3])
def test_a_zone_that_is_none_is_refused_by_name(picture, wrong):
    with pytest.raises(ValueError, match="is no time zone; give an IANA name") as error:
        OVER_TIME[picture](fl.sample(), tz=wrong)
    assert repr(wrong) in str(error.value)
    assert plt.get_fignums() == []


@pytest.fixture
def in_chatham(monkeypatch):
    """The machine is in the zone with the oddest offset there is, and summer time."""
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_chatham")
def test_local_is_the_zone_of_this_machine_with_its_summer_time():
    # +13:45 in March, +12:45 in July (tz database)
    df = frame(*logged("2026-03-10 14:00", "2026-07-10 14:00"))
    ax = df.flow.plot.heatmap(tz="local")
    assert sorted(cells(ax)) == [(0, 3), (122, 2)]
    assert ax.get_title() == "Flows by day and hour, local time (+1345/+1245)"
    assert "local time (+1345/+1245)" in df.flow.plot.timeline(tz="local").get_title()


def test_bins_remain_those_of_utc_and_the_picture_says_so_where_that_matters():
    df = frame(*logged("2026-03-10 14:00", "2026-03-11 14:00"))
    utc, there = (df.flow.plot.timeline(freq="1D", tz=zone) for zone in ("UTC", "Asia/Tokyo"))
    assert [bar.get_x() for bar in utc.patches] == [bar.get_x() for bar in there.patches]
    assert (utc.get_xlabel(), there.get_xlabel()) == ("UTC", "Asia/Tokyo; bins begin where they do in UTC")
    assert df.flow.plot.timeline(freq="1h", tz="Asia/Tokyo").get_xlabel() == "Asia/Tokyo"
    assert df.flow.plot.timeline(freq="1h", tz="Asia/Kolkata").get_xlabel() != "Asia/Kolkata"


def test_what_is_not_drawn_of_a_conversation_is_said_in_the_same_zone():
    many = [record(start=START + 60 * n, end=START + 60 * n + 50, action="REJECT") for n in range(200)]
    df = frame(*many)
    row = df.flow.diagnose().iloc[0]
    below = df.flow.plot.conversation(row, tz="Asia/Tokyo").get_xlabel()
    assert below.startswith("Asia/Tokyo; beside each bar")
    assert "from 2026-03-10 23:00:00 to 2026-03-11 02:19:50" in below
