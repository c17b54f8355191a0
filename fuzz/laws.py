"""What holds of any bytes that `flowlens.read` is given, in one call: `examine`.

An *input* is four bytes that choose (envelope, fields, law, a number for them) and then content. The content is put
into the envelope, so that what changes at random is the text inside a gzip or a base64, and not its checksum; the
envelope "plain" leaves it alone. Then, whatever the content:

- `check` raises nothing and lists bad lines in order;
- `read` gives a frame that keeps the frame contract, or a `ParseError` with the very lines that `check` lists;
- records read + bad lines = lines that are not header, comment or blank, where the content is lines;
- nothing takes long;
- and one law of `LAWS`, which reads the same again in another way.
"""

from __future__ import annotations

import base64
import bz2
import csv
import io
import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import zip_longest
from unittest import mock

import pandas as pd
import pyarrow as pa
from formats import gz, parquet_of, rows

import flowlens as fl
from flowlens import stream
from flowlens.parse import compression, delimited, pieces, plain_documents, text
from flowlens.parse.layout import Fields
from flowlens.schema import field_for

HEAD = 4  # bytes that choose
_NAME = "<open file>"
_LARGEST = 40_000  # bytes that an envelope repeats its content to
_SECONDS = 5  # of all cores, for reading that much once: it takes a twentieth of that
_BEGIN_OF_TIME = pd.Timestamp(0, tz="UTC")
_END_OF_TIME = pd.Timestamp("5139-01-01", tz="UTC")

FIELDS: tuple[Fields | None, ...] = (
    None,
    "default",
    "tgw",
    ["srcaddr", "dstaddr", "instance-tag", "start", "action", "hop-count"],
    ["start", "bytes"],
    ["interface-id"],
)


class BrokenLawError(AssertionError):
    """Something that holds of any bytes does not."""


def _hold(law: bool, message: str) -> None:
    if not law:
        raise BrokenLawError(message)


# --- Envelopes ---


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def _payload(data: bytes) -> str:
    return base64.b64encode(gz(data)).decode()


def _messages(content: bytes) -> list[str]:
    return content.decode("utf-8", "ignore").split("\n")


def _events(content: bytes) -> list[dict[str, object]]:
    return [{"id": "3", "timestamp": 1_773_151_200_000, "message": message} for message in _messages(content)]


def _subscription(content: bytes) -> bytes:
    return json.dumps({"messageType": "DATA_MESSAGE", "logGroup": "flows", "logEvents": _events(content)}).encode()


def _named(content: bytes) -> list[dict[str, str]]:
    """Take lines as a table: names in the first one, values in the others."""
    names, *lines = [line.split() for line in _messages(content)]
    return [dict(zip_longest(names, values[: len(names)], fillvalue="-")) for values in lines]


def _csv(content: bytes) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(line.split() for line in _messages(content))
    return out.getvalue().encode()


def _parquet(content: bytes) -> bytes:
    """Write JSON as a table of whatever types Arrow takes it for, and anything else as one of texts."""
    try:
        found = json.loads(content)
        table = pa.Table.from_pylist(found if isinstance(found, list) else [found])
        return parquet_of(table)
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError, pa.ArrowException):
        made = _named(content)
        return parquet_of(pa.table({name: [row[name] for row in made] for name in made[0]})) if made else content


_MAPS = pa.map_(pa.string(), pa.string())


def _typed(content: bytes, number: int) -> bytes:
    """Write JSON objects as Parquet in types that JSON has not: times, dictionaries, bytes, maps, wide and small."""
    table = pa.Table.from_pylist(json.loads(content))
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        choice = (number >> (place % 5)) % 4
        if pa.types.is_string(column.type):
            kinds = [pa.dictionary(pa.int8(), pa.string()), pa.binary(), pa.large_string(), pa.string_view()]
        elif pa.types.is_integer(column.type):
            kinds = [pa.timestamp("us", "UTC"), pa.timestamp("s"), pa.float32(), pa.decimal128(20, 2)]
        elif pa.types.is_struct(column.type) and name == "unmapped":
            pairs = [value and [(key, str(word)) for key, word in value.items()] for value in column.to_pylist()]
            column, kinds = pa.chunked_array([pa.array(pairs, _MAPS)]), [_MAPS]
        else:
            continue
        with suppress(pa.ArrowException):
            table = table.set_column(place, name, column.cast(kinds[choice % len(kinds)]))
    return parquet_of(table)


def _typed_if_it_can(content: bytes, number: int) -> bytes:
    try:
        return _typed(content, number)
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError, pa.ArrowException):
        return content


def _cut(data: bytes, number: int) -> bytes:
    return data[: len(data) * number // 256]


def _two_members(content: bytes, number: int) -> bytes:
    place = len(content) * number // 256
    return gz(content[:place]) + gz(content[place:])


def _repeated(content: bytes, number: int) -> bytes:
    """Repeat the content behind its first line, or all of it."""
    begin = content.find(b"\n") + 1 if number % 2 else 0
    return content[:begin] + content[begin:] * (_LARGEST // max(len(content), 1))


def _deep(content: bytes, number: int) -> bytes:
    """Put the content inside lists, objects, or texts that are JSON."""
    words = content.decode("utf-8", "ignore")
    for _ in range(number % 14):
        words = json.dumps({"message": words})
    opening, closing = [("[", "]"), ('{"a":', "}"), ('{"events":[', "]}")][number % 3]
    # Python goes 1,000 levels deep, less what it stands on, which differs here from real reading: not near there.
    return f"{opening * number}{words}{closing * number}".encode()


#: How the content is wrapped. The order is that of the committed inputs: new ones go to the end.
ENVELOPES: Mapping[str, Callable[[bytes, int], bytes]] = {
    "plain": lambda content, _: content,
    "gzip": lambda content, _: gz(content),
    "zstd": lambda content, _: zstd(content),
    "bzip2": lambda content, _: bz2.compress(content),
    "gzip of gzip": lambda content, _: gz(gz(content)),
    "gzip cut short": lambda content, number: _cut(gz(content), number),
    "zstd cut short": lambda content, number: _cut(zstd(content), number),
    "bzip2 cut short": lambda content, number: _cut(bz2.compress(content), number),
    "two gzip members": _two_members,
    "payload": lambda content, _: _payload(content).encode(),
    "payloads, cut short": lambda content, number: _cut(f"{_payload(content)}\n".encode() * 2, number),
    "Lambda event": lambda content, _: json.dumps({"awslogs": {"data": _payload(content)}}).encode(),
    "Kinesis event": lambda content, _: json.dumps(
        {"Records": [{"kinesis": {"data": _payload(line.encode())}} for line in _messages(content)]}
    ).encode(),
    "Firehose request": lambda content, _: json.dumps(
        {"records": [{"data": base64.b64encode(content).decode()}]}
    ).encode(),
    "payload of a subscription": lambda content, _: _payload(_subscription(content)).encode(),
    "subscription": lambda content, _: _subscription(content),
    "events": lambda content, _: json.dumps({"events": _events(content)}, indent=1).encode(),
    "events cut short": lambda content, number: _cut(json.dumps({"events": _events(content)}).encode(), number),
    "Firehose lines": lambda content, _: b"\n".join(
        json.dumps({"message": line}).encode() for line in _messages(content)
    ),
    "lines in a list": lambda content, _: json.dumps(_messages(content)).encode(),
    "lines in a list in an object": lambda content, _: json.dumps({"records": _messages(content)}).encode(),
    "console CSV": lambda content, _: b"timestamp,message\n" + b"".join(
        b'1773151200000,"%s"\n' % line.replace('"', '""').encode() for line in _messages(content)
    ),
    "objects": lambda content, _: b"\n".join(json.dumps(row).encode() for row in _named(content)),
    "query results": lambda content, _: json.dumps(
        {"results": [[{"field": name, "value": row[name]} for name in row] for row in _named(content)]}
    ).encode(),
    "CSV": lambda content, _: _csv(content),
    "Parquet": lambda content, _: _parquet(content),
    "UTF-16": lambda content, _: b"\xff\xfe" + content.decode("utf-8", "ignore").encode("utf-16-le"),
    "repeated": _repeated,
    "deep": _deep,
    "typed Parquet": _typed_if_it_can,
}  # fmt: skip
_WHERE_LINES_ARE_LINES = {"plain", "gzip", "zstd", "bzip2", "gzip of gzip", "two gzip members", "repeated"}
_WHERE_MESSAGES_ARE_LINES = {
    "payload of a subscription", "subscription", "events", "Firehose lines", "lines in a list",
    "lines in a list in an object", "console CSV",
}  # fmt: skip


# --- What always holds ---


def examine(data: bytes, *, thoroughly: bool = True) -> None:
    """Read what an input describes; or only look, which costs a fifth, whether `check` can list its bad lines.

    Raises
    ------
    BrokenLawError
        If a law does not hold; and whatever else reading should not have raised.
    """
    if len(data) < HEAD:
        return
    kind, fields, law, number = data[:HEAD]
    envelope = list(ENVELOPES)[kind % len(ENVELOPES)]
    wrapped = ENVELOPES[envelope](data[HEAD:], number)
    options: dict[str, object] = {"fields": FIELDS[fields % len(FIELDS)]}
    begin = time.process_time()
    bad = _bad_lines(wrapped, options)
    seconds = time.process_time() - begin
    _hold(seconds < _SECONDS, f"slow: {len(wrapped):,} bytes took {seconds:.1f} s")
    if not thoroughly:
        return
    df = _frame(wrapped, bad, options)
    if df is not None:
        _keeps_the_contract(df)
        if envelope in _WHERE_LINES_ARE_LINES:
            _no_line_is_lost(wrapped if envelope == "repeated" else data[HEAD:], len(df) + len(bad))
        elif envelope in _WHERE_MESSAGES_ARE_LINES:
            _no_line_is_lost(data[HEAD:].decode("utf-8", "ignore").encode(), len(df) + len(bad), inside=True)
    list(LAWS.values())[law % len(LAWS)](wrapped, df, bad, options, number)


def _read(source: object, options: Mapping[str, object], **others: object) -> pd.DataFrame:
    return fl.read(source, progress=False, **{"on_bad_lines": "skip", **options, **others})


def _bad_lines(data: bytes, options: Mapping[str, object]) -> list[tuple[object, ...]]:
    found = fl.check(io.BytesIO(data), **options)
    _hold(list(found.columns) == ["file", "line", "text", "reason"], "check has other columns")
    _hold(found["line"].dtype == "int64" and bool((found["line"] >= 1).all()), "check has lines that are no numbers")
    _hold(found["line"].is_monotonic_increasing, "check lists lines out of order")
    _hold(bool((found["file"] == _NAME).all()), "check names another file")
    lines = list(found.itertuples(index=False, name=None))
    for _, _, shown, reason in lines:
        f"{shown}{reason}".encode()  # what is no sound text cannot be printed
    return lines


def _frame(data: bytes, bad: list[tuple[object, ...]], options: Mapping[str, object]) -> pd.DataFrame | None:
    try:
        return _read(io.BytesIO(data), options)
    except fl.ParseError as error:
        raised = [(line.file, line.line, line.text, line.reason) for line in error.bad_lines]
        _hold(raised == bad, f"read refuses for other lines than check: {raised[:3]} and {bad[:3]}")
        _hold("Nothing could be read" in str(error), "on_bad_lines='skip' raises where something was read")
        return None


def _keeps_the_contract(df: pd.DataFrame) -> None:
    _hold(isinstance(df.index, pd.RangeIndex) and df.index.start == 0, "the index does not count records")
    _hold(0 < len(set(df.columns)) == len(df.columns), "columns are not unique")
    addresses = None
    for name, column in df.items():
        field, values = field_for(name), column.array
        _hold(str(values.dtype) == field.dtype, f"dtype: {name} is {values.dtype}, not {field.dtype}")
        if field.dtype == "category":
            words = list(values.categories)
            _hold(words == sorted(set(words)), f"categories: those of {name} are not sorted")
            _hold(not {"", "-"} & set(words), f"categories: {name} has a word for nothing")
            _hold(not field.closed or set(words) <= set(field.values), f"categories: {name} has an unknown word")
            "".join(words).encode()
            if field.kind == "address":
                _hold(addresses in {None, id(values.categories)}, "categories: addresses have different ones")
                addresses = id(values.categories)
                for word in words:
                    _is_an_address(word)
        elif len(values) and field.dtype != "UInt8" and field.dtype != "UInt16":
            low, high = values.min(), values.max()
            if field.kind == "time" and low is not pd.NaT:
                _hold(low >= _BEGIN_OF_TIME and high < _END_OF_TIME, f"time: {name} is {low} or {high}")
            elif field.kind == "int64" and low is not pd.NA:
                _hold(low >= 0, f"number: {name} is {low}")


def _is_an_address(word: str) -> None:
    try:
        _hold("%" not in word, f"address with a zone: {word!r}")
        ipaddress.ip_address(word)
    except ValueError as error:
        raise BrokenLawError(f"no address: {word!r}") from error


_OTHER_FORMS = re.compile(
    rb"\xef\xbb\xbf?\s*[\[{]|\s*(\[|\{|H4sI)|PAR1|BZh|\x1f\x8b|\xff\xfe|\xfe\xff|\x28\xb5\x2f\xfd"
)
_MAYBE_HEADER = re.compile(rb"[a-z][a-z0-9_-]*(\s+[a-z][a-z0-9_-]*)*\s*(#.*)?", re.DOTALL)


def _no_line_is_lost(content: bytes, accounted: int, *, inside: bool = False) -> None:
    lines = re.split(rb"\r\n|\r|\n", content.removeprefix(b"\xef\xbb\xbf"))
    told = [line for line in lines if line.split() and not line.split()[0].startswith(b"#")]
    if _OTHER_FORMS.match(content) or (told and (b"," in told[0] or b";" in told[0])):
        return
    if inside and any(_OTHER_FORMS.match(line) for line in content.split(b"\n")):
        return
    # A value of CSV that runs over more lines is taken for one whose quotes do not match, line by line.
    if inside and any(line.count(b"\r") >= delimited._MOST_LINES - 1 for line in content.split(b"\n")):
        return
    headers = sum(_MAYBE_HEADER.fullmatch(line.strip()) is not None for line in told)
    _hold(
        len(told) - headers <= accounted <= len(told),
        f"lines: {accounted} records and bad lines of {len(told)} lines, of which {headers} may be headers",
    )


# --- One more law at a time ---


def _same(one: Sequence[object], other: Sequence[object], what: str) -> None:
    if one != other:
        pairs = zip_longest(one, other, fillvalue="nothing")
        difference = next((a, b) for a, b in pairs if a != b)
        raise BrokenLawError(f"{what}: {difference[0]} and {difference[1]}; {len(one)} and {len(other)} in all")


def _nothing(*_: object) -> None:
    """Hold whatever holds anyway."""


def _bad_lines_raise(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], _: int
) -> None:
    try:
        strict = _read(io.BytesIO(data), options, on_bad_lines="error")
    except fl.ParseError as error:
        raised = [(line.file, line.line, line.text, line.reason) for line in error.bad_lines]
        _same(raised, bad, "read and check give other lines")
        str(error).encode("utf-8")
    else:
        _hold(not bad and df is not None, "bad lines that do not raise")
        _same(rows(strict), rows(df), "on_bad_lines changes records")


def _columns_alone(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], number: int
) -> None:
    if df is None:
        return
    wanted = [name for place, name in enumerate(df.columns) if number >> (place % 8) & 1][:4] or [df.columns[0]]
    part = _read(io.BytesIO(data), options, columns=wanted)
    _hold(list(part.columns) == wanted, "columns: other ones come")
    _keeps_the_contract(part)
    if bad:
        _hold(len(df) <= len(part) <= len(df) + len(bad), "columns: records are lost or made")
    else:
        _same(rows(part), rows(df[wanted]), "columns= changes values")


@contextmanager
def without_shortcuts() -> Iterator[None]:
    """Take the careful way everywhere that a sound file has a fast one."""

    def unclean(*_: object) -> None:
        raise text._UncleanError

    def nothing(*_: object, **__: object) -> None:
        return None

    with (
        mock.patch.object(stream, "parse_together", nothing),
        mock.patch.object(compression, "_undamaged", nothing),
        mock.patch.object(delimited, "_table", nothing),
        mock.patch.object(plain_documents, "taken", nothing),
        mock.patch.object(text, "_clean_table", unclean),
    ):
        yield


#: What is cut into pieces where it is large, by where that is said: here it is cut where it is small.
_PIECES = {
    (text, "_SMALL"): 300, (text, "_BLOCK"): 500, (text, "_SHARED_BLOCK"): 500, (delimited, "_BLOCK"): 500,
    (pieces, "_PIECE"): 100,
    (compression, "_STEP"): 200, (compression, "_SALVAGE_STEP"): 10,
}  # fmt: skip


def _pieces_agree(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], _: int
) -> None:
    with ExitStack() as stack:
        for (module, name), size in _PIECES.items():
            stack.enter_context(mock.patch.object(module, name, size))
        _like_that(data, df, bad, options, "in pieces")


def _like_that(data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], how: str) -> None:
    """Read once more and compare."""
    found = _bad_lines(data, options)
    _same([line[:2] for line in bad], [line[:2] for line in found], f"{how}: other lines are reported")
    other = _frame(data, found, options)
    _hold((df is None) == (other is None), f"{how}: it reads what it would not, or the reverse")
    if df is not None:
        _same(list(df.columns), list(other.columns), f"{how}: there are other columns")
        _same(rows(df), rows(other), f"{how}: there are other records")


def _fast_and_careful_agree(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], _: int
) -> None:
    if "\N{REPLACEMENT CHARACTER}".encode() in data:  # by which the careful way tells that something was no text
        return
    with without_shortcuts():
        _like_that(data, df, bad, options, "with care")


def _twice_is_double(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], _: int
) -> None:
    if df is not None:
        twice = _read([io.BytesIO(data), io.BytesIO(data)], options)
        _same(rows(twice), rows(df) * 2, "together: two files give other records than one by one")
        found = fl.check([io.BytesIO(data), io.BytesIO(data)], **options)
        _hold(len(found) == 2 * len(bad), "together: two files give other bad lines")


_OTHER = b"interface-id srcaddr dstport start\neni-9 10.9.9.9 53 1773151200\n"


def _beside_another(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], _: int
) -> None:
    both = _read([io.BytesIO(data), io.BytesIO(_OTHER)], options)
    _keeps_the_contract(both)
    records = [] if df is None else rows(df)
    _hold(len(both) == len(records) + 1, "beside: records are lost or made")
    mine = [{name: row.get(name) for name in row} for row in records]
    _same(
        [{name: row[name] for name in old} for row, old in zip(rows(both), mine, strict=False)],
        mine,
        "beside: another file changes records",
    )


def _time_selects(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], number: int
) -> None:
    span = (pd.Timestamp(0, tz="UTC"), pd.Timestamp(number * 14_000_000, unit="s", tz="UTC"))
    try:
        part = _read(io.BytesIO(data), options, time=span)
    except fl.MissingFieldError:
        return  # a format in the file has no start
    except fl.ParseError:
        _hold(df is None, "time: refused")
        return
    _hold(df is not None, "time: read what is refused")
    if "start" not in df.columns:
        _hold(df.empty and part.empty, "time: records without start")
        return
    within = (df["start"] >= span[0]) & (df["start"] < span[1])
    _same(rows(part), rows(df[within.to_numpy()]), "time= gives other records")


def _compressed_is_alike(
    data: bytes, df: pd.DataFrame | None, bad: list[tuple], options: Mapping[str, object], number: int
) -> None:
    if data.startswith((b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd")):  # two layers are undone, not three
        return
    pack = [gz, zstd, bz2.compress][number % 3]
    _same(_bad_lines(pack(data), options), bad, "compression changes bad lines")
    again = _frame(pack(data), bad, options)
    _hold((df is None) == (again is None), "compression changes what is refused")
    if df is not None:
        _same(rows(again), rows(df), "compression changes records")


#: The order is that of the committed inputs: new ones go to the end.
LAWS: Mapping[str, Callable[[bytes, pd.DataFrame | None, list[tuple], Mapping[str, object], int], None]] = {
    "nothing more": _nothing,
    "bad lines raise": _bad_lines_raise,
    "columns alone": _columns_alone,
    "fast and careful agree": _fast_and_careful_agree,
    "twice is double": _twice_is_double,
    "beside another": _beside_another,
    "time selects": _time_selects,
    "compressed is alike": _compressed_is_alike,
    "pieces agree": _pieces_agree,
}


def made(content: bytes, envelope: str = "plain", fields: int = 0, law: str = "nothing more", number: int = 0) -> bytes:
    """Return the input that describes this."""
    return bytes([list(ENVELOPES).index(envelope), fields, list(LAWS).index(law), number]) + content


def told(data: bytes) -> str:
    """Say what an input describes."""
    kind, fields, law, number = data[:HEAD]
    return (
        f"content {data[HEAD:]!r}\nenvelope {list(ENVELOPES)[kind % len(ENVELOPES)]!r}, fields="
        f"{FIELDS[fields % len(FIELDS)]!r}, law {list(LAWS)[law % len(LAWS)]!r}, number {number}"
    )
