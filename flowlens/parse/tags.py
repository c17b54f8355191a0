"""Values of tags: AWS logs them percent-encoded, so that they hold no space, and without the key they belong to.

https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html (version 11)
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.parse.values import TEXT
from flowlens.schema import BY_COLUMN, TAG_COLUMNS

__all__ = ["columns_of_tags", "readable_tags"]


def columns_of_tags(tag_keys: Mapping[str, str]) -> dict[str, str]:
    """Return the name that the user gives to each column of tags.

    Raises
    ------
    ValueError
        If a field is no tag field, or two columns would have the same name.
    """
    columns = {field.replace("-", "_"): key for field, key in tag_keys.items()}
    wrong = next((field for field in columns if field not in TAG_COLUMNS), None)
    if wrong is not None:
        fields = ", ".join(column.replace("_", "-") for column in TAG_COLUMNS)
        raise ValueError(f"tag_keys names {wrong!r}, which is no tag field; there are {fields}")
    taken = next((key for key in columns.values() if key in BY_COLUMN), None)
    if taken is not None:
        raise ValueError(f"tag_keys gives the name {taken!r}, which is the name of a field")
    if len(set(columns.values())) < len(columns):
        raise ValueError(f"tag_keys={dict(tag_keys)!r} gives one name to two columns")
    return columns


def readable_tags(table: pa.Table) -> pa.Table:
    """Return a table with the values of tags decoded."""
    for place, name in enumerate(table.column_names):
        if name in TAG_COLUMNS:
            chunks = [_decoded(chunk) for chunk in table[name].chunks]
            table = table.set_column(place, name, pa.chunked_array(chunks, TEXT))
    return table


def _decoded(chunk: pa.DictionaryArray) -> pa.DictionaryArray:
    words = chunk.dictionary.to_pylist()
    decoded = [None if word is None else _readable(word) for word in words]
    return chunk if decoded == words else pc.take(pa.array(decoded, pa.string()), chunk.indices).dictionary_encode()


def _readable(word: str) -> str:
    try:
        value = unquote(word, errors="strict")
    except UnicodeDecodeError:
        return word
    # A tag whose value is a dash must not look like a missing one.
    return word if value in {"", "-"} else value
