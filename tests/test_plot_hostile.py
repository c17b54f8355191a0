"""Pictures of beacons and of findings: they draw the numbers of their rows."""

from __future__ import annotations

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import pytest
from flow_lines import log
from formats import START

import flowlens as fl

DF = fl.sample()
BEACONS = DF.flow.beacons()
FOUND = DF.flow.findings(min_score=0.5)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_each_event_stands_at_its_time_as_high_as_the_silence_before():
    # Every ten minutes, but the third one comes two minutes late.
    moments = [0, 600, 1320, 1800, 2400]
    lines = [f"+{at} B out B:{50000 + at} > X:443 SYN ACCEPT packets=3 bytes=300" for at in moments]
    df = log("\n".join(lines)).df
    ax = df.flow.plot.beacon(df.flow.beacons().loc[0])
    drawn = ax.collections[0].get_offsets()
    seconds = [round(mdates.num2date(x).timestamp()) - START for x in drawn[:, 0]]
    assert seconds == moments[1:]
    assert drawn[:, 1].tolist() == pytest.approx([10, 12, 8, 10])
    assert ax.get_ylabel() == "silence before, minutes"
    assert "median, 10 minutes" in legend(ax)


def test_the_picture_says_what_the_row_says():
    row = BEACONS.loc[0]
    ax = DF.flow.plot.beacon(row)
    assert ax.get_title(loc="left") == "10.20.11.32 to 203.0.113.250 at 443/tcp, score 0.91"
    assert len(ax.collections[0].get_offsets()) == row["evidence"]["events"] - 1
    assert f"{row['evidence']['events']} events, periodic" in ax.get_xlabel()
    assert "hidden by the windows of the log" in legend(ax)


def test_a_row_of_rita_and_one_of_all_findings_are_drawn_too():
    rita = DF.flow.beacons(mode="rita")
    row = rita[(rita["srcaddr"] == "10.20.11.32") & (rita["dstaddr"] == "203.0.113.250")].iloc[0]
    assert len(DF.flow.plot.beacon(row).collections[0].get_offsets()) == 220
    found = FOUND[FOUND["kind"] == "beacon"].iloc[0]
    assert DF.flow.plot.beacon(found).get_title(loc="left").startswith("10.20.11.32 to 203.0.113.250")


def test_a_scan_of_files_draws_the_same(tmp_path):
    DF.flow.to_parquet(tmp_path)
    ax = fl.scan(tmp_path).plot.beacon(BEACONS.loc[0])
    expected = DF.flow.plot.beacon(BEACONS.loc[0])
    assert ax.collections[0].get_offsets().tolist() == expected.collections[0].get_offsets().tolist()


def test_calls_the_other_way_are_another_beacon():
    lines = [
        f"+{at} B out B:{40_000 + at // 600} > X:443 SYN ACCEPT packets=3 bytes=300" for at in range(0, 60_000, 600)
    ]
    lines += [
        f"+{at} B in X:{50_000 + at // 1020} > B:443 SYN ACCEPT packets=3 bytes=300" for at in range(0, 58_140, 1020)
    ]
    df = log("\n".join(lines)).df
    beacons = df.flow.beacons()
    assert sorted(row["events"] for row in beacons["evidence"]) == [57, 100]
    for _, row in beacons.iterrows():
        ax = df.flow.plot.beacon(row)
        assert len(ax.collections[0].get_offsets()) == row["evidence"]["events"] - 1
        assert f"{row['evidence']['events']} events" in ax.get_xlabel()


def test_a_beacon_without_ports_is_drawn_by_its_events():
    lines = [f"+{at} B out B:50000 > X:443 ACCEPT packets=3 bytes=300" for at in range(0, 15_000, 300)]
    df = log("\n".join(lines)).df
    df[["srcport", "dstport"]] = None
    df = df.astype({"srcport": "UInt16", "dstport": "UInt16"})
    row = df.flow.beacons().loc[0]
    ax = df.flow.plot.beacon(row)
    assert len(ax.collections[0].get_offsets()) == row["evidence"]["events"] - 1 == 49
    assert ax.get_title(loc="left").endswith(f"at tcp, score {row['score']:.2f}")


def test_one_event_has_no_rhythm_and_is_said_so():
    lines = [f"+{at}..{at + 60} B out B:50000 > X:443 ACCEPT packets=3 bytes=300" for at in range(0, 3_660, 60)]
    lines += [f"+{at}..{at + 60} B in X:443 > B:50000 ACCEPT packets=3 bytes=300" for at in range(0, 3_660, 60)]
    df = log("\n".join(lines)).df
    row = df.flow.beacons().loc[0]
    assert row["evidence"]["class"] == "insufficient"
    ax = df.flow.plot.beacon(row)
    assert [text.get_text() for text in ax.texts] == ["one event has no rhythm"]


def test_rows_that_are_no_beacons_and_records_without_it_are_refused():
    with pytest.raises(ValueError, match="this one is a brute_force"):
        DF.flow.plot.beacon(FOUND[FOUND["kind"] == "brute_force"].iloc[0])
    with pytest.raises(ValueError, match="draws a row of"):
        DF.flow.plot.beacon(DF.iloc[0])
    with pytest.raises(ValueError, match="this one lacks dstport, protocol"):
        DF.flow.plot.beacon(BEACONS[["kind", "srcaddr", "dstaddr", "score", "evidence"]].loc[0])
    with pytest.raises(ValueError, match=r"nothing of 10\.20\.11\.32 and 203\.0\.113\.250"):
        DF.flow.host("10.20.20.11").flow.plot.beacon(BEACONS.loc[0])


def test_bars_are_the_scores_and_kinds_differ_in_more_than_colour():
    ax = DF.flow.plot.findings(FOUND, n=6)
    widths = {round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in ax.patches}
    assert [widths[place] for place in range(6)] == FOUND["score"].head(6).tolist()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[:2] == ["192.0.2.66 to 10.20.0.10:22", "10.20.11.40 to 198.51.100.23"]
    assert legend(ax) == [kind.replace("_", " ") for kind in dict.fromkeys(FOUND["kind"].head(6))]
    assert len({container[0].get_hatch() for container in ax.containers}) == len(ax.containers)
    assert ax.get_title(loc="left") == f"6 of {len(FOUND)} findings"


def test_all_findings_are_drawn_where_none_are_given_and_nothing_is_said_to_be_nothing():
    quiet = DF.flow.host("10.20.10.99")
    ax = quiet.flow.plot.findings()
    assert [text.get_text() for text in ax.texts] == ["nothing was found"]
    own = plt.figure().add_subplot()
    assert DF.flow.plot.findings(FOUND, ax=own) is own
    assert DF.flow.plot.beacon(BEACONS.loc[0], ax=own) is own
    with pytest.raises(ValueError, match="n"):
        DF.flow.plot.findings(FOUND, n=-1)
