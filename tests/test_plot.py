"""Pictures: each draws the numbers of its table on the axes it is given, shows nothing by itself and leaks nothing."""

from __future__ import annotations

import re

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from formats import START, frame, nodata, read, record, text
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

import flowlens as fl

RECORDS = [
    record(bytes=5000, packets=10),
    record(bytes=3000, packets=2, action="REJECT", srcaddr="10.0.0.7", dstport=22),
    record(bytes=100, packets=1, start=START + 300, srcaddr="10.0.0.7", dstport=22),
    record(bytes=900, packets=4, start=START + 900, srcaddr="2001:db8::1", dstaddr="2001:db8::2"),
    record(
        bytes=None, packets=7, start=START + 901, action="REJECT", srcaddr="10.0.0.9", srcport=0, dstport=0, protocol=1
    ),
    nodata(),
]
DF = frame(*RECORDS)
EMPTY = {"filtered": DF.iloc[:0], "header only": read(text([], list(DF.columns))), "NODATA": frame(nodata())}
PICTURES = {
    "timeline": lambda plot, **options: plot.timeline(**options),
    "top_talkers": lambda plot, **options: plot.top_talkers(**options),
    "ports": lambda plot, **options: plot.ports(**options),
    "matrix": lambda plot, **options: plot.matrix("srcaddr", "dstaddr", **options),
    "heatmap": lambda plot, **options: plot.heatmap(**options),
    "coverage": lambda plot, **options: plot.coverage(**options),
}
pictures = pytest.mark.parametrize("picture", PICTURES)


def drawn(ax: Axes) -> bool:
    return bool(ax.patches or ax.collections)


def widths(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in ax.patches]


def ticks(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def stacks(ax: Axes) -> dict[str, dict[int, float]]:
    """Return the height of each bar by legend label and second from the start."""
    found = {}
    for bars in ax.containers:
        heights = {}
        for bar in bars:
            moment = mdates.num2date(bar.get_x())
            heights[round(moment.timestamp()) - START] = bar.get_height()
        found[bars.get_label()] = heights
    return found


# --- What all pictures do ---


@pictures
def test_a_picture_returns_axes_of_its_own_figure(picture):
    ax = PICTURES[picture](DF.flow.plot)
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.figure.number]


@pictures
def test_a_picture_draws_on_the_axes_it_is_given_and_makes_no_figure(picture):
    figure, (left, right) = plt.subplots(1, 2)
    assert PICTURES[picture](DF.flow.plot, ax=right) is right
    assert drawn(right)
    assert not drawn(left)
    assert plt.get_fignums() == [figure.number]


#: A NODATA record is no traffic, and covers its time.
EMPTY_PICTURES = [
    (picture, kind) for picture in PICTURES for kind in EMPTY if (picture, kind) != ("coverage", "NODATA")
]


@pytest.mark.parametrize(("picture", "kind"), EMPTY_PICTURES)
def test_a_picture_of_nothing_is_empty_axes_that_can_be_drawn(picture, kind, tmp_path):
    ax = PICTURES[picture](EMPTY[kind].flow.plot)
    assert not drawn(ax)
    words = "no records" if picture == "coverage" else "no traffic in these records"
    assert [note.get_text() for note in ax.texts] == [words]
    ax.figure.savefig(tmp_path / "empty.png")


def test_a_total_of_nothing_has_no_shares():
    # Records of Block Public Access have packets and no bytes.
    ax = frame(record(bytes=None, action="REJECT")).flow.plot.top_talkers()
    assert [note.get_text() for note in ax.texts] == [""]


@pictures
def test_a_picture_shows_nothing_by_itself(picture, monkeypatch):
    def no_show(*_, **__):
        raise AssertionError("plt.show was called")

    monkeypatch.setattr(plt, "show", no_show)
    monkeypatch.setattr(mpl.figure.Figure, "show", no_show)
    PICTURES[picture](DF.flow.plot)


@pictures
def test_a_picture_can_be_saved_and_closed(picture, tmp_path):
    ax = PICTURES[picture](DF.flow.plot)
    ax.figure.savefig(tmp_path / "picture.svg")
    assert (tmp_path / "picture.svg").stat().st_size > 1000
    plt.close(ax.figure)
    assert plt.get_fignums() == []


@pictures
def test_a_picture_changes_neither_the_log_nor_the_settings(picture):
    before, settings = DF.copy(deep=True), dict(mpl.rcParams)
    PICTURES[picture](DF.flow.plot)
    pd.testing.assert_frame_equal(DF, before)
    assert dict(mpl.rcParams) == settings


@pictures
def test_a_picture_has_a_title_and_names_its_measure(picture):
    ax = PICTURES[picture](DF.flow.plot)
    assert ax.get_title() or ax.get_title(loc="left")
    if picture == "coverage":
        return  # what it counts stands beside each number
    first_word = ax.get_title().split()[0].lower()
    named = {"timeline": ax.get_ylabel(), "matrix": first_word, "heatmap": first_word}
    assert named.get(picture, ax.get_xlabel()) in {"flows", "bytes"}


def test_calling_plot_draws_the_time_line():
    assert stacks(DF.flow.plot()) == stacks(DF.flow.plot.timeline())


# --- The numbers ---


def test_the_time_line_stacks_the_flows_of_each_bin():
    ax = DF.flow.plot.timeline(freq="5min")
    assert stacks(ax) == {"ACCEPT": {0: 1, 300: 1, 600: 0, 900: 1}, "REJECT": {0: 1, 300: 0, 600: 0, 900: 1}}
    accepted, rejected = ax.containers
    assert [bar.get_y() for bar in rejected] == [bar.get_height() for bar in accepted]


def test_bars_are_as_wide_as_their_bin_and_begin_where_it_begins():
    (accepted, _) = DF.flow.plot.timeline(freq="5min").containers
    assert [bar.get_width() * 86400 for bar in accepted] == pytest.approx([300] * 4)
    assert [mdates.num2date(bar.get_x()).minute for bar in accepted] == [0, 5, 10, 15]


@pytest.mark.parametrize(("values", "heights"), [("packets", {0: 13, 900: 11}), ("bytes", {0: 8100, 900: 900})])
def test_the_time_line_can_show_another_measure_without_split(values, heights):
    ax = DF.flow.plot.timeline(freq="15min", by=None, values=values)
    (drawn,) = stacks(ax).values()
    assert drawn == heights
    assert ax.get_legend() is None


def test_accepted_and_rejected_have_their_colours_whichever_of_them_is_there():
    both, one = DF.flow.plot.timeline(), DF.flow.rejected().flow.plot.timeline()
    colours = {bars.get_label(): to_hex(bars[0].get_facecolor()) for bars in both.containers}
    assert len(set(colours.values())) == 2
    assert to_hex(one.containers[0][0].get_facecolor()) == colours["REJECT"]
    hatches = {bars.get_label(): bars[0].get_hatch() for bars in both.containers}
    assert hatches["REJECT"] != hatches["ACCEPT"]


def test_the_legend_names_what_splits_the_bins():
    ax = DF.flow.plot.timeline(by="srcaddr")
    assert ax.get_legend().get_title().get_text() == "srcaddr"
    names = [label.get_text() for label in ax.get_legend().get_texts()]
    assert names == ["10.0.0.5", "10.0.0.7", "10.0.0.9", "2001:db8::1"]


def test_of_a_split_by_many_values_the_largest_have_names_and_the_others_are_summed_up():
    many = [record(srcaddr=f"10.0.{n // 250}.{n % 250}", bytes=1) for n in range(10_000)]
    largest = [record(srcaddr=f"192.0.2.{n}", bytes=100 - n) for n in range(7)]
    df = frame(*many, *largest, record(srcaddr="10.0.0.0", bytes=3, start=START + 300))
    ax = df.flow.plot.timeline(by="srcaddr", values="bytes")
    expected = {f"192.0.2.{n}": {0: 100 - n, 300: 0} for n in range(7)}
    assert stacks(ax) == {**expected, "10,000 others": {0: 10_000, 300: 3}}
    looks = {(to_hex(bars[0].get_facecolor()), bars[0].get_hatch()) for bars in ax.containers}
    assert len(looks) == len({hatch for _, hatch in looks}) + 1 == 8, "what is summed up has no hatch, as the first"


def test_one_value_more_than_has_a_name_is_shown_by_its_name():
    df = frame(*[record(dstport=n) for n in (9, 80, 1000, 7, 22, 443, 53, 8080)])
    ax = df.flow.plot.timeline(by="dstport")
    assert list(stacks(ax)) == ["7", "9", "22", "53", "80", "443", "1000", "8080"]
    assert len({(bars[0].get_facecolor(), bars[0].get_hatch()) for bars in ax.containers}) == 8


def test_records_without_the_value_that_splits_are_drawn_too():
    df = frame(record(), record(interface_id=None))
    drawn = stacks(df.flow.plot.timeline(by="interface_id"))
    assert sum(sum(heights.values()) for heights in drawn.values()) == 2


def test_top_talkers_are_bars_from_the_largest_down():
    ax = DF.flow.plot.top_talkers()
    assert widths(ax) == [5000, 3100, 900, 0]
    assert ticks(ax) == ["10.0.0.5", "10.0.0.7", "2001:db8::1", "10.0.0.9"]
    bottom, top = ax.get_ylim()
    assert bottom > top, "the first bar has to be on top"


def test_top_talkers_notes_the_share_beside_each_bar():
    notes = [note.get_text() for note in DF.flow.plot.top_talkers().texts]
    assert notes[:3] == ["56%", "34%", "10%"]


def test_top_talkers_takes_how_many_and_what_to_rank():
    assert widths(DF.flow.plot.top_talkers(2)) == [5000, 3100]
    ax = DF.flow.plot.top_talkers(by="packets", key="dstaddr")
    assert (widths(ax), ticks(ax)) == ([20, 4], ["10.0.1.9", "2001:db8::2"])
    assert "dstaddr" in ax.get_title()
    assert "packets" in ax.get_title()


def test_ports_are_bars_named_by_port_and_protocol():
    ax = DF.flow.plot.ports()
    assert widths(ax) == [2, 2, 1]
    names = ticks(ax)
    assert names[:2] == ["22 TCP", "443 TCP"]
    assert "ICMP" in names[2]
    assert widths(DF.flow.plot.ports(1, by="bytes")) == [5900]


def test_amounts_are_written_with_prefixes():
    df = frame(record(bytes=3_000_000_000), record(bytes=1, srcaddr="10.0.0.6"))
    ax = df.flow.plot.top_talkers()
    assert ax.xaxis.get_major_formatter()(1.5e9) == "1.5 GB"
    assert ax.xaxis.get_major_formatter()(0) == "0 B"
    assert df.flow.plot.ports().xaxis.get_major_formatter()(12_000) == "12 k"


@pytest.mark.parametrize(
    ("amount", "text"), [(999_499, "999 k"), (999_999, "1 M"), (10**9 - 1, "1 G"), (5 * 10**15, "5 P"), (1000, "1 k")]
)
def test_an_amount_in_a_cell_has_three_digits_and_the_prefix_they_fit_to(amount, text):
    ax = frame(record(bytes=amount), record(dstaddr="10.0.0.1", bytes=1)).flow.plot.matrix("srcaddr", "dstaddr")
    assert f"{text}B" in [note.get_text() for note in ax.texts]


def test_there_is_no_half_of_a_flow():
    ax = frame(record()).flow.plot.timeline()
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["0", "1"]


def test_the_time_axis_is_in_utc_whatever_the_machine_says():
    with mpl.rc_context({"timezone": "Asia/Tokyo"}):
        ax = DF.flow.plot.timeline(freq="5min")
        ax.figure.canvas.draw()
        labels = [label.get_text() for label in ax.get_xticklabels()]
    assert any(label.startswith("14:") for label in labels)
    assert not any(label.startswith("23:") for label in labels)


@pytest.mark.parametrize("freq", ["1min", "1h", "1D", "h", "30s"])
def test_any_width_of_bins_can_be_drawn(freq):
    ax = DF.flow.plot.timeline(freq=freq)
    assert sum(bar.get_height() for bar in ax.patches) == 5
    assert all(np.isfinite(bar.get_x()) for bar in ax.patches)


def test_a_long_log_has_wider_bins_by_itself_and_no_more_bars_than_can_be_told_apart():
    bars = {}
    for days in (1, 2, 7, 30, 365, 3650):
        ax = frame(record(), record(start=START + days * 86_400)).flow.plot.timeline()
        bars[ax.get_title()] = len(ax.patches)
    weeks = (START + 3650 * 86_400) // (7 * 86_400) - START // (7 * 86_400) + 1
    assert bars == {
        "Flows per 5min, UTC": 577, "Flows per 30min, UTC": 337, "Flows per 2h, UTC": 361, "Flows per 1D, UTC": 366,
        "Flows per 7D, UTC": weeks,
    }  # fmt: skip


def test_more_bars_than_a_picture_can_show_are_refused_with_a_width_that_fits():
    year = frame(record(), record(start=START + 365 * 86_400 - 1, action="REJECT"))
    with pytest.raises(
        ValueError, match=r"freq='1s' makes about 31,5\d\d,\d\d\d bars .*2026-03-10.*2027-03-10"
    ) as error:
        year.flow.plot.timeline(freq="1s")
    fits = re.search(r"freq='(\w+)' fits", str(error.value)).group(1)
    assert 200 < len(year.flow.plot.timeline(freq=fits).patches) <= 6000
    plt.close("all")
    with pytest.raises(ValueError, match=r"freq='2min' makes about 525,600 bars .* freq='12h' fits"):
        year.flow.plot.timeline(freq="2min")
    # Whole hours do not tell; then the bins themselves do.
    minutes = frame(record(start=START + 3599), record(start=START + 3600 + 7199))
    with pytest.raises(ValueError, match="about 7,201 bars"):
        minutes.flow.plot.timeline(freq="1s", by=None)
    assert plt.get_fignums() == []
    assert len(frame(record(), record(start=START + 5999)).flow.plot.timeline(freq="1s", by=None).patches) == 6000


@pytest.mark.parametrize("wrong", [{"freq": "soon"}, {"values": "peers"}])
def test_a_time_line_of_what_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DF.flow.plot.timeline(**wrong)
    assert plt.get_fignums() == []


# --- The matrix ---


def cells(ax: Axes) -> dict[tuple[str, str], float]:
    """Return what is drawn for each row and column; cells without a colour are left out."""
    (mesh,) = ax.collections
    rows, columns = ticks(ax), [label.get_text() for label in ax.get_xticklabels()]
    amounts = np.ma.masked_array(mesh.get_array()).reshape(len(rows), len(columns))
    shown = np.argwhere(~np.ma.getmaskarray(amounts))
    return {(rows[row], columns[column]): amounts[row, column] for row, column in shown}


def texts(ax: Axes) -> dict[tuple[int, int], str]:
    return {(int(note.get_position()[1]), int(note.get_position()[0])): note.get_text() for note in ax.texts}


GROUPS = {"a": "10.0.0.0/24", "b": "10.0.1.0/24", "c": "10.0.2.0/24"}


def grouped(*flows: tuple[str, str, int]) -> pd.DataFrame:
    records = (record(srcaddr=GROUPS[src][:-4] + "9", dstaddr=GROUPS[dst][:-4] + "8", bytes=n) for src, dst, n in flows)
    return frame(*records).flow.add_groups(GROUPS)


def test_a_matrix_has_the_largest_first_and_no_colour_where_there_is_no_traffic():
    ax = grouped(("a", "b", 50), ("b", "a", 3_000_000), ("b", "c", 200), ("c", "c", 9_000)).flow.plot.matrix()
    assert ticks(ax) == ["b", "a", "c"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["b", "a", "c"]
    assert cells(ax) == {("b", "a"): 3_000_000, ("b", "c"): 200, ("c", "c"): 9000, ("a", "b"): 50}
    assert texts(ax) == {(0, 1): "3 MB", (0, 2): "200 B", (2, 2): "9 kB", (1, 0): "50 B"}
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == (
        "Bytes from src_group (rows) to dst_group (columns)", "dst_group", "src_group",
    )  # fmt: skip


def test_a_matrix_counts_what_it_is_asked_for():
    ax = grouped(("a", "b", 50), ("a", "b", 60)).flow.plot.matrix(values="flows")
    assert cells(ax) == {("a", "b"): 2}
    assert ax.get_title().startswith("Flows from")


def test_what_is_behind_the_largest_of_a_matrix_is_summed_up():
    flows = [(src, dst, 10 ** (4 * (src == "a") + 2 * (dst == "b") + 1)) for src in "abc" for dst in "abc"]
    ax = grouped(*flows).flow.plot.matrix(n=1)
    assert cells(ax) == {
        ("a", "b"): 10_000_000,
        ("a", "2 others"): 200_000,
        ("2 others", "b"): 2000,
        ("2 others", "2 others"): 40,
    }


def test_one_more_than_the_largest_is_shown_by_its_name():
    assert ticks(grouped(("a", "b", 5), ("b", "a", 50), ("c", "a", 500)).flow.plot.matrix(n=2)) == ["a", "c", "b"]


def test_what_has_no_name_is_a_row_of_its_own():
    df = frame(record(bytes=5), record(srcaddr="192.0.2.1", bytes=7)).flow.add_groups({"a": "10.0.0.0/8"}, default=None)
    ax = df.flow.plot.matrix()
    assert cells(ax) == {("(none)", "a"): 7, ("a", "a"): 5}
    assert ticks(ax) == ["a", "(none)"]


def test_a_large_matrix_has_no_numbers_in_its_cells():
    pairs = [record(srcaddr=f"10.0.0.{n}", dstaddr=f"10.0.1.{n}") for n in range(13)]
    ax = frame(*pairs).flow.plot.matrix("srcaddr", "dstaddr")
    assert len(cells(ax)) == 13
    assert not ax.texts


def test_a_matrix_of_records_without_bytes_has_no_colours():
    ax = frame(record(bytes=None)).flow.plot.matrix("srcaddr", "dstaddr")
    assert cells(ax) == {}


@pytest.mark.parametrize("n", [-1, 1.5, "3"])
def test_a_matrix_is_asked_for_a_number_of_rows(n):
    with pytest.raises(ValueError, match="number of rows"):
        DF.flow.plot.matrix("srcaddr", "dstaddr", n=n)


def test_without_groups_the_matrix_says_what_adds_them():
    with pytest.raises(fl.MissingFieldError, match=r"'src_group'.*add_groups\(\.\.\.\) adds it"):
        DF.flow.plot.matrix()


def test_a_matrix_of_a_scan_is_that_of_the_frame(tmp_path):
    DF.flow.to_parquet(tmp_path)
    groups = {"inside": "10.0.0.0/16", "documentation": "2001:db8::/32"}
    expected = cells(DF.flow.add_groups(groups).flow.plot.matrix())
    assert cells(fl.scan(tmp_path).add_groups(groups).plot.matrix()) == expected
    assert len(expected) == 2
