"""Take JSON documents of any shape apart into the lines and the records that they hold.

The shapes are those of CloudWatch Logs (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/), of its
subscriptions (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html), and of what Lambda,
Kinesis and Firehose wrap around those.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from flowlens.errors import BadLine
from flowlens.parse.compression import decompress, most_bytes
from flowlens.parse.naming import has_addresses, known_names

__all__ = ["Gathered", "gather", "gather_payloads", "gather_texts", "sound"]

_DEEPEST = 12  # wrappers inside wrappers; real ones have five

# Lists whose elements are documents themselves, objects that wrap one, texts that are base64 of one.
_LISTS = ("events", "logEvents", "results", "Records", "records", "Events", "hits")
_WRAPPERS = ("awslogs", "kinesis", "_source")
_PAYLOADS = ("data", "Data")
_MESSAGES = ("message", "@message", "log", "Message")  # Fluent Bit has log, SNS Message
# What stands under each name, in the order in which they are looked for. A search of Elastic has hits inside hits.
_INNER = {
    **dict.fromkeys(_LISTS, (list,)),
    "hits": (list, dict),
    **dict.fromkeys((*_WRAPPERS, *_MESSAGES), (dict, str)),
}
_GZIP_IN_BASE64 = "H4sI"
_UNFINISHED = ("Scheduled", "Running", "Cancelled", "Failed", "Timeout", "Unknown")  # words of GetQueryResults

_DEFAULT_LINE = re.compile(r"2(?: \S+){13}\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = " \t\v\f"  # what parts values; Python calls some control characters white space too
_LINE_END = re.compile(r"\r\n|\r|\n")
_BETWEEN = re.compile(r"[\s,]*")
_OPENS_A_LIST = re.compile(rf'(\{{[^{{}}]*?"(?:{"|".join(_LISTS)})"\s*:\s*)?\[')
# What closes a list, and stands behind it in its object: closing brackets and other keys.
_BEHIND_LIST = re.compile(r'(?:[\s,\]}]|"[^"\\]*"\s*:)*')
_IN_LIST = re.compile(rf"[\s,]*(?:\]{_BEHIND_LIST.pattern})?")
_NEXT_LIST = re.compile(r"(?<=\])[\s,]*(?=\[)|\n(?=\{)")
_NEXT_OBJECT = re.compile(r"(?<=\})[\s,]*(?=\{)|\n[^\S\n]*(?=\{)")

_COST_OF_RECURSION = 10_000  # characters
_NEAR = 1 << 14  # characters
_MOST_SCANS = 50  # times the length of the text: damage must not cost more than that

_decode_lone_text = json.JSONDecoder().raw_decode  # running over the end of its line, it is a stray quote
_decode = json.JSONDecoder(strict=False).raw_decode


def sound(text: str) -> str:
    """Return a text without halves of surrogate pairs, which JSON can hold and Arrow cannot."""
    return text if text.isascii() else _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(slots=True)
class Gathered:
    """What documents hold: lines of text, records with names, and what is neither, each with its number in the file."""

    file: str
    room: int  # bytes that payloads may still unpack to
    number: int = 0
    messages: list[str] = field(default_factory=list)
    message_numbers: list[int] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)
    row_numbers: list[int] = field(default_factory=list)
    bad_lines: list[BadLine] = field(default_factory=list)

    def add_line(self, text: str) -> None:
        self.number += 1
        if text.strip(_BLANK):
            self.messages.append(text)
            self.message_numbers.append(self.number)

    def add_row(self, row: dict[str, object]) -> None:
        self.number += 1
        self.rows.append(row)
        self.row_numbers.append(self.number)

    def add_bad(self, text: str, reason: str) -> None:
        self.number += 1
        self.bad_lines.append(BadLine(self.file, self.number, sound(text), reason))


def gather(data: bytes, file: str) -> Gathered:
    """Take apart JSON documents, one after the other with white space, commas or nothing between them."""
    into = Gathered(file, most_bytes(len(data)))
    # What is not UTF-8 stays so, and makes the line that it stands in a bad one.
    _take_documents(data.decode("utf-8", "surrogateescape"), into, 0)
    return into


def gather_payloads(data: bytes, file: str) -> Gathered:
    """Take apart payloads of subscriptions, base64 of gzip, one a line."""
    into = Gathered(file, most_bytes(len(data)))
    # `base64` breaks its lines after 76 characters; each payload begins as gzip does.
    for payload in re.split(rf"\s+(?={_GZIP_IN_BASE64})", data.decode("ascii", "replace").strip()):
        _take_payload("".join(payload.split()), into, 0)
    return into


def gather_texts(texts: Iterable[bytes | None], numbers: Sequence[int] | None, file: str) -> Gathered:
    """Take apart the messages of a log, which hold one line each, or several, or JSON."""
    into = Gathered(file, most_bytes(0))
    for place, text in enumerate(texts):
        if numbers is not None:
            into.number = numbers[place] - 1
        _take_text((text or b"").decode("utf-8", "surrogateescape"), into, 0)
    return into


def _take_documents(text: str, into: Gathered, depth: int) -> None:
    for document in _documents(text, into):
        _take(document, into, depth)


def _documents(text: str, into: Gathered) -> Iterator[object]:
    """Yield the documents of a text; a damaged piece is reported, and what comes after it still read."""
    is_sound = True  # the last piece
    between, budget = _BETWEEN, _MOST_SCANS * (len(text) + _COST_OF_RECURSION)
    far = max(_NEAR, len(text) >> 7)
    place = end = _skipped(between, text, 0)
    gap = ""
    while place < len(text):
        try:
            document, end = (_decode_lone_text if text[place] == '"' else _decode)(text, place)
            is_sound = True
        except (ValueError, RecursionError) as error:
            # The error counts all lines before it, so what was read is let go from time to time.
            position = getattr(error, "pos", place + _COST_OF_RECURSION)
            budget -= position - place + position // 2
            if place > far:
                text, place = text[place:], 0
            if budget <= 0:
                yield from _documents_of_lines(text[place:], into)
                return
            opening = _OPENS_A_LIST.match(text, place)
            # Inside a list, a list is a row of query results, which stands or falls as a whole.
            if opening and (opening[1] or between is _BETWEEN):
                # A large document with damage somewhere: the elements of its list stand by themselves.
                between, end = _IN_LIST, opening.end()
            else:
                next_element = _NEXT_LIST if text[place] == "[" else _NEXT_OBJECT
                following = next_element.search(text, place + 1)
                end = following.end() if following else len(text)
                is_sound = False
                into.add_bad(
                    text[place:end].rstrip(), f"the JSON is damaged or cut short here ({getattr(error, 'msg', error)})"
                )
        else:
            # Behind a list that was stepped into stand the values of other keys.
            if not gap.endswith(":"):
                yield document
        place = _skipped(between, text, end)
        gap = text[end:place].rstrip()
        if between is _IN_LIST and "]" in gap:
            between = _BEHIND_LIST
    if between is _IN_LIST and is_sound:
        into.add_bad("", "the JSON is cut short: its list does not end")


def _documents_of_lines(text: str, into: Gathered) -> Iterator[object]:
    """Yield the documents that stand in a line of their own: a text of much damage is searched for no others."""
    for line in text.split("\n"):
        document = line.strip(" \t\r,")
        try:
            yield json.loads(document or "[]")
        except (ValueError, RecursionError) as error:
            into.add_bad(line, f"the JSON is damaged or cut short here ({getattr(error, 'msg', error)})")


def _skipped(between: re.Pattern[str], text: str, place: int) -> int:
    found = between.match(text, place)
    return found.end() if found else place


def _take(document: object, into: Gathered, depth: int) -> None:
    if depth > _DEEPEST:
        into.add_bad(reprlib.repr(document), "the JSON is nested too deeply to be a flow log")
    elif isinstance(document, str):
        _take_text(document, into, depth)
    elif isinstance(document, list):
        if document and all(isinstance(part, dict) and "field" in part for part in document):
            _take_cells(document, into, depth)
            return
        texts = [part for part in document if isinstance(part, str)]
        if len(texts) == 1 < len(document) and all(isinstance(part, str | int | float) for part in document):
            document = texts  # --query 'events[].[timestamp,message]'
        for part in document:
            _take(part, into, depth + 1)
    elif isinstance(document, dict):
        _take_object(document, into, depth)
    else:
        into.add_bad(json.dumps(document), "a lone JSON value is no flow log record")


def _take_cells(cells: list[dict[str, object]], into: Gathered, depth: int) -> None:
    """Take a row of query results, which is a list of fields with their values."""
    row = {str(cell["field"]): cell.get("value") for cell in cells}
    if any("value" not in cell for cell in cells):
        into.add_bad(json.dumps(cells), "a field of this row has no value")
    elif any(row[str(cell["field"])] != cell["value"] for cell in cells):
        into.add_bad(json.dumps(cells), "a field stands in this row more than once, with different values")
    else:
        _take_object(row, into, depth)


def _take_object(document: dict[str, object], into: Gathered, depth: int) -> None:
    if document.get("messageType") == "CONTROL_MESSAGE":  # a subscription says that it is there
        return
    status = document.get("status")
    if status in _UNFINISHED and isinstance(document.get("results"), list):
        into.add_bad(f'"status": "{status}"', "the query had not ended: these are not all of its results")
    inside: object
    inner = tuple(_INNER)
    if has_addresses(document):
        # Logs Insights gives fields beside the line that it found them in; the line has all of them.
        inner = tuple(key for key in _MESSAGES if _DEFAULT_LINE.fullmatch(str(document.get(key))))
    for key in inner:
        inside = document.get(key)
        if isinstance(inside, _INNER[key]):
            _take(inside, into, depth + 1)
            return
    inside = next((document[key] for key in _PAYLOADS if isinstance(document.get(key), str)), None)
    if isinstance(inside, str) and known_names(document) < 2:
        _take_payload(inside, into, depth + 1)
    else:
        into.add_row(document)


def _take_text(text: str, into: Gathered, depth: int) -> None:
    beginning = text.lstrip(f"{_BLANK}\r\n")
    if beginning.startswith(("{", "[")):
        _take_documents(text, into, depth + 1)
    elif beginning.startswith(_GZIP_IN_BASE64):
        _take_payload(text, into, depth + 1)
    else:
        for line in _LINE_END.split(text):
            into.add_line(line)


def _take_payload(text: str, into: Gathered, depth: int) -> None:
    if depth > _DEEPEST:
        into.add_bad(text, "the payloads are nested too deeply to be a flow log")
        return
    try:
        plain, problem = decompress(base64.b64decode(text, validate=True), most=into.room)
    except (binascii.Error, ValueError):
        into.add_bad(text, "this is no base64, in which CloudWatch Logs wraps what it sends to Kinesis and Lambda")
        return
    into.room = max(into.room - len(plain), 0)
    if problem and plain[:1] not in {b"{", b"["}:
        plain = plain[: plain.rfind(b"\n") + 1]  # a line that is cut may be cut inside a number
    if plain:
        _take_text(plain.decode("utf-8", "surrogateescape"), into, depth)
    if problem:
        into.add_bad(text, problem)
