"""`time=` leaves files unopened whose path tells that they hold nothing of that time, and no others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from envelopes import athena_csv, filter_log_events
from formats import DEFAULT, gz, parquet, record, rows, text

import flowlens as fl

ACCOUNT, REGION = "123456789010", "eu-west-1"

#: The window that is asked for: 14:20 to 14:25
NOW = dt.datetime(2026, 3, 10, 14, 20, tzinfo=dt.UTC)
WINDOW = (NOW, NOW + dt.timedelta(minutes=5))

#: A file that cannot be read: whoever opens it is found out.
GARBAGE = b"PK\x03\x04 this is no flow log"


def moment(minutes: float) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


def seconds(minutes: float) -> int:
    return int(moment(minutes).timestamp())


def flow(start: float, last: float = 1) -> dict[str, str | int | None]:
    """Return a record that starts some minutes after the window begins, and lasts some."""
    return record(start=seconds(start), end=seconds(start + last))


def name_of(slot: dt.datetime, ending: str = "log.gz") -> str:
    """Return the name that AWS gives to the file of a slot."""
    return f"{ACCOUNT}_vpcflowlogs_{REGION}_fl-00112233445566778_{slot:%Y%m%dT%H%MZ}_a1b2c3d4.{ending}"


#: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html, and the layouts of organisations
LAYOUTS: dict[str, str] = {
    "plain": "AWSLogs/{account}/vpcflowlogs/{region}/{slot:%Y/%m/%d}",
    "hourly": "AWSLogs/{account}/vpcflowlogs/{region}/{slot:%Y/%m/%d/%H}",
    "Hive": "AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/year={slot:%Y}"
    "/month={slot:%m}/day={slot:%d}",
    "Hive, hourly": "AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/year={slot:%Y}"
    "/month={slot:%m}/day={slot:%d}/hour={slot:%H}",
    "own prefix": "my/own/2019/01/01/prefix/AWSLogs/{account}/vpcflowlogs/{region}/{slot:%Y/%m/%d}",
    "organisation": "AWSLogs/o-abc123defg/{account}/vpcflowlogs/{region}/{slot:%Y/%m/%d}",
    "organisation, own prefix, hourly": "logs/AWSLogs/o-abc123defg/{account}/vpcflowlogs/{region}/{slot:%Y/%m/%d/%H}",
    "organisation, Hive": "AWSLogs/o-abc123defg/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}"
    "/year={slot:%Y}/month={slot:%m}/day={slot:%d}",
}


def folder_of(layout: str, slot: dt.datetime) -> str:
    return LAYOUTS[layout].format(account=ACCOUNT, region=REGION, slot=slot)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def is_opened(root: Path, path: str, **options: object) -> bool:
    """Tell whether a file is opened: one that cannot be read lies at that path, beside a sound one."""
    write(root / "sound.log", text([flow(1)]))
    write(root / path, GARBAGE)
    try:
        found = fl.read(root, time=WINDOW, **options)
    except fl.ParseError as error:
        assert error.file == str(root / path)  # noqa: PT017
        return True
    assert rows(found) == [flow(1)]
    return False


# --- Which files are opened ---


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("minutes", [0, 5, 10])
def test_slots_in_which_records_of_the_window_end_are_opened(tmp_path, layout, minutes):
    slot = moment(minutes)
    assert is_opened(tmp_path, f"{folder_of(layout, slot)}/{name_of(slot)}")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("minutes", [-5, -60, -24 * 60, -365 * 24 * 60, 60, 6 * 60, 24 * 60])
def test_slots_far_from_the_window_are_not_opened(tmp_path, layout, minutes):
    slot = moment(minutes)
    assert not is_opened(tmp_path, f"{folder_of(layout, slot)}/{name_of(slot)}")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_with_other_names_go_by_their_folders(tmp_path, layout):
    hourly = "hour" in layout
    for number, (minutes, opened) in enumerate(
        [(0, True), (-24 * 60 * 2, False), (24 * 60 * 2, False), (-120, not hourly)]
    ):
        folder = folder_of(layout, moment(minutes))
        assert is_opened(tmp_path / str(number), f"{folder}/copied.gz") == opened, minutes


@pytest.mark.parametrize("ending", ["log.gz", "log.parquet", "log", "log.gz.zst"])
def test_the_ending_of_the_name_does_not_matter(tmp_path, ending):
    assert not is_opened(tmp_path / "a", f"logs/{name_of(moment(-60), ending)}")
    assert is_opened(tmp_path / "b", f"logs/{name_of(moment(0), ending)}")


def test_the_name_of_a_file_counts_wherever_it_lies(tmp_path):
    assert not is_opened(tmp_path / "a", f"downloads/today/{name_of(moment(-60))}")
    assert not is_opened(tmp_path / "b", name_of(moment(-60)))
    assert is_opened(tmp_path / "c", f"downloads/old/{name_of(moment(0))}")


def test_the_name_of_a_file_counts_more_than_its_folder(tmp_path):
    # Somebody sorted files into folders of another day.
    assert is_opened(tmp_path / "a", f"{folder_of('plain', moment(-24 * 60 * 9))}/{name_of(moment(0))}")
    assert not is_opened(tmp_path / "b", f"{folder_of('plain', moment(0))}/{name_of(moment(-24 * 60 * 9))}")


UNRELATED = [
    "logs/2019/01/01/flows.log",
    "2019-01-01/flows.log",
    "backup_20190101T0000Z/flows.log",
    "20190101T0000Z.log",
    "vpcflowlogs/2019/01/01.log",
    "vpcflowlogs/eu-west-1/2019/01/flows.log",
    "AWSLogs/1/vpcflowlogs/eu-west-1/2019/flows.log",
    "AWSLogs/1/vpcflowlogs/eu-west-1/2019/13/45/flows.log",
    "AWSLogs/1/vpcflowlogs/eu-west-1/2019/02/30/flows.log",
    "AWSLogs/1/CloudTrail/eu-west-1/2019/01/01/flows.log",
    "exportedlogs/0d1f2e3c/eni-1235b8ca123456789-all/000000.gz",
    "date=2019-01-01/flows.log",
    "dt=20190101/flows.log",
    "year=2019/flows.log",
    "year=2019/month=01/flows.log",
    "myyear=2019/mymonth=01/myday=01/flows.log",
    "year=2019/month=13/day=01/flows.log",
    "flows_2019_01_01_vpcflowlogs.log",
    "a_vpcflowlogs_eu-west-1_fl-1_20190101_b.log.gz",
    "a_vpcflowlogs_eu-west-1_fl-1_20191301T0000Z_b.log.gz",
]


@pytest.mark.parametrize("path", UNRELATED)
def test_folders_and_names_that_tell_no_time_of_flow_logs_are_never_left_out(tmp_path, path):
    assert is_opened(tmp_path, path)


@pytest.mark.parametrize("bound", [0, 1])
def test_a_window_that_is_open_at_one_end_leaves_out_what_lies_beyond_the_other(tmp_path, bound):
    early, late = moment(-24 * 60 * 3), moment(24 * 60 * 3)
    for place, slot in enumerate((early, late)):
        write(tmp_path / folder_of("plain", slot) / name_of(slot), GARBAGE if place != bound else gz(text([flow(3)])))
    inside = flow(3) if bound else flow(-3)
    slot = (early, late)[bound]
    write(tmp_path / folder_of("plain", slot) / name_of(slot), gz(text([inside])))
    span = (NOW, None) if bound else (None, NOW)
    assert rows(fl.read(tmp_path, time=span)) == [inside]


def test_without_a_window_all_is_opened(tmp_path):
    slot = moment(-24 * 60 * 365)
    write(tmp_path / folder_of("hourly", slot) / name_of(slot), GARBAGE)
    for options in ({}, {"time": (None, None)}):
        with pytest.raises(fl.ParseError):
            fl.read(tmp_path, **options)


def test_an_empty_window_opens_nothing(tmp_path):
    write(tmp_path / name_of(moment(-300)), GARBAGE)
    df = fl.read(tmp_path, time=(NOW, NOW))
    assert df.shape == (0, len(DEFAULT))


# --- What is found ---


def hour_of_files(root: Path, layout: str, data: Callable[[list[dict]], bytes], ending: str) -> list[dict]:
    """Write two hours of records as AWS does, each to the slot in which it ends, and return them."""
    records = [flow(start, last) for start in range(-60, 60) for last in (0, 0.5, 1, 4, 9.9)]
    slots: dict[dt.datetime, list[dict]] = {}
    for rec in records:
        end = dt.datetime.fromtimestamp(rec["end"], dt.UTC)
        slots.setdefault(end - dt.timedelta(minutes=end.minute % 5, seconds=end.second), []).append(rec)
    for slot, part in slots.items():
        write(root / folder_of(layout, slot) / name_of(slot, ending), data(part))
    return records


@pytest.mark.parametrize(
    ("layout", "data", "ending"),
    [
        ("plain", lambda part: gz(text(part)), "log.gz"),
        ("hourly", parquet, "log.parquet"),
        ("Hive, hourly", lambda part: gz(text(part)), "log.gz"),
        ("organisation", text, "log"),
    ],
    ids=["plain", "hourly", "Hive, hourly", "organisation"],
)
def test_every_record_that_starts_in_the_window_is_found_whatever_slot_it_ended_in(tmp_path, layout, data, ending):
    records = hour_of_files(tmp_path, layout, data, ending)
    everything = fl.read(tmp_path)
    assert len(everything) == len(records)
    for begin, end in ((0, 5), (-7, 3), (4, 4.5), (-0.5, 21)):
        span = moment(begin), moment(end)
        expected = [rec for rec in records if span[0].timestamp() <= rec["start"] < span[1].timestamp()]
        found = fl.read(tmp_path, time=span)
        assert sorted(rows(found), key=str) == sorted(expected, key=str)
        inside = (everything["start"] >= span[0]) & (everything["start"] < span[1])
        pd.testing.assert_frame_equal(found, everything[inside].reset_index(drop=True), check_categorical=False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_record_that_starts_before_midnight_is_found_in_the_folder_of_the_next_day(tmp_path, layout):
    midnight = dt.datetime(2026, 3, 11, tzinfo=dt.UTC)
    rec = record(start=int(midnight.timestamp()) - 540, end=int(midnight.timestamp()) + 59)
    for name in (name_of(midnight), "other.gz"):
        write(tmp_path / folder_of(layout, midnight) / name, gz(text([rec])))
        assert rows(fl.read(tmp_path, time=(midnight - dt.timedelta(minutes=10), midnight))) == [rec]
        (tmp_path / folder_of(layout, midnight) / name).unlink()


def test_a_record_is_kept_by_its_start_and_not_by_the_slot_of_its_file(tmp_path):
    records = [flow(-1, 2), flow(0, 1), flow(4.99, 1), flow(5, 0)]
    write(tmp_path / name_of(moment(0)), gz(text(records)))
    assert rows(fl.read(tmp_path, time=WINDOW)) == records[1:3]


def test_times_in_other_zones_leave_out_the_same_files(tmp_path):
    hour_of_files(tmp_path, "hourly", text, "log")
    slot = moment(-180)
    write(tmp_path / folder_of("hourly", slot) / name_of(slot), GARBAGE)
    spans = [
        WINDOW,
        ("2026-03-10 14:20", "2026-03-10 14:25"),
        ("2026-03-10T15:20:00+01:00", "2026-03-10T15:25:00+01:00"),
        tuple(pd.Timestamp(bound).tz_convert("Asia/Tokyo") for bound in WINDOW),
    ]
    frames = [fl.read(tmp_path, time=span) for span in spans]
    assert len(frames[0]) == 25
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])


@pytest.mark.parametrize("way", ["folder", "list", "glob", "strings", "relative"])
def test_it_does_not_matter_how_the_files_are_named(tmp_path, way, monkeypatch):
    sound = write(tmp_path / folder_of("plain", NOW) / name_of(NOW), gz(text([flow(1)])))
    old = moment(-24 * 60)
    odd = write(tmp_path / folder_of("plain", old) / name_of(old), GARBAGE)
    monkeypatch.chdir(tmp_path)
    source = {
        "folder": tmp_path,
        "list": [odd, sound],
        "glob": f"{tmp_path}/**/*.gz",
        "strings": [str(odd), str(sound)],
        "relative": "AWSLogs",
    }[way]
    assert rows(fl.read(source, time=WINDOW)) == [flow(1)]


def test_a_file_that_is_named_alone_is_left_out_too(tmp_path):
    odd = write(tmp_path / name_of(moment(-60)), GARBAGE)
    assert len(fl.read(odd, time=WINDOW)) == 0
    with odd.open("rb") as file:
        assert len(fl.read(file, time=WINDOW)) == 0


def test_other_forms_are_left_out_by_their_folders_too(tmp_path):
    for place, build in enumerate((filter_log_events, athena_csv, parquet)):
        folder = folder_of("Hive", NOW)
        write(tmp_path / folder / f"{place}.dat", build([flow(1), flow(99)]))
        write(tmp_path / folder_of("Hive", moment(-24 * 60 * 2)) / f"{place}.dat", GARBAGE)
    assert rows(fl.read(tmp_path, time=WINDOW)) == [flow(1)] * 3


# --- Nothing is left ---


@pytest.mark.parametrize(
    ("options", "columns"),
    [
        ({}, DEFAULT),
        ({"fields": "${srcaddr} ${dstaddr} ${start} ${vpc-id}"}, ["srcaddr", "dstaddr", "start", "vpc_id"]),
        ({"columns": ["bytes", "srcaddr"]}, ["bytes", "srcaddr"]),
        ({"columns": ["vpc-id", "tcp_flags"]}, ["vpc_id", "tcp_flags"]),
        ({"columns": ["instance-tag"], "tag_keys": {"instance-tag": "team"}}, ["team"]),
        ({"columns": []}, []),
        ({"on_bad_lines": "skip"}, DEFAULT),
    ],
    ids=range(7),
)
def test_where_all_files_are_left_out_the_frame_is_empty_and_has_its_columns(tmp_path, options, columns):
    for minutes in (-60, -120, 600):
        slot = moment(minutes)
        write(tmp_path / folder_of("plain", slot) / name_of(slot), GARBAGE)
    df = fl.read(tmp_path, time=WINDOW, **options)
    assert len(df) == 0
    assert list(df.columns) == columns
    assert isinstance(df.index, pd.RangeIndex)


def test_an_empty_frame_has_the_types_of_a_full_one(tmp_path):
    write(tmp_path / name_of(moment(-60)), GARBAGE)
    write(tmp_path / "other" / "sound.log", text([flow(1)]))
    empty, full = fl.read(tmp_path / name_of(moment(-60)), time=WINDOW), fl.read(tmp_path / "other", time=WINDOW)
    assert empty.dtypes.map(str).to_dict() == full.dtypes.map(str).to_dict()
    assert empty["srcaddr"].cat.categories.dtype == full["srcaddr"].cat.categories.dtype


def test_empty_frames_can_be_asked(tmp_path):
    write(tmp_path / name_of(moment(-60)), GARBAGE)
    df = fl.read(tmp_path, time=WINDOW)
    assert len(df.flow.top_talkers(3)) == 0
    assert len(df.flow.timeline()) == 0


def test_a_folder_without_files_is_still_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        fl.read(tmp_path, time=WINDOW)


def test_check_opens_every_file(tmp_path):
    odd = write(tmp_path / name_of(moment(-60)), GARBAGE)
    assert fl.check(tmp_path)["file"].tolist() == [str(odd)]


# --- What to_parquet writes ---


@pytest.mark.parametrize(
    "partition_by",
    [(), ("year", "month", "day"), ("year", "month", "day", "hour"), ("year",), ("year", "month")],
    ids="/".join,
)
def test_tables_of_to_parquet_give_the_same_records_with_and_without_a_look_at_their_paths(tmp_path, partition_by):
    records = [flow(60 * hours, last) for hours in range(-30, 30, 3) for last in (0.5, 9)]
    df = fl.read(write(tmp_path / "source.log", text(records)))
    target = tmp_path / "table"
    df.flow.to_parquet(target, partition_by=partition_by)
    for begin, end in ((0, 5), (-24 * 60, 0), (-600, 600)):
        span = moment(begin), moment(end)
        expected = [rec for rec in records if span[0].timestamp() <= rec["start"] < span[1].timestamp()]
        assert rows(fl.read(target, time=span)) == expected


@pytest.mark.parametrize("partition_by", [("year", "month", "day"), ("year", "month", "day", "hour")], ids="/".join)
def test_days_and_hours_of_a_table_that_lie_outside_the_window_are_not_opened(tmp_path, partition_by):
    records = [flow(60 * hours) for hours in (-72, -12, 0, 72)]
    df = fl.read(write(tmp_path / "source.log", text(records)))
    target = tmp_path / "table"
    df.flow.to_parquet(target, partition_by=partition_by)
    opened = []
    for path in sorted(target.rglob("*.parquet")):
        content = path.read_bytes()
        path.write_bytes(GARBAGE)
        try:
            fl.read(target, time=WINDOW)
        except fl.ParseError:
            opened.append(path)
        path.write_bytes(content)
    hours = {f"{moment(0):%d}"} if "hour" not in partition_by else {f"{moment(0):%d}/hour={moment(0):%H}"}
    assert [str(path.relative_to(target).parent) for path in opened] == [
        f"year=2026/month={moment(0):%m}/day={tail}" for tail in hours
    ]
