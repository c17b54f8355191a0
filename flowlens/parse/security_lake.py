"""Records of Amazon Security Lake: laid flat, then read as any table of named columns."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from flowlens.errors import BadLine
from flowlens.parse.named import read_named
from flowlens.parse.naming import columns_of
from flowlens.parse.ocsf import complaints, flow_columns
from flowlens.parse.reading import Parsed, Reading, RefusedError

__all__ = ["read_ocsf"]


def read_ocsf(table: pa.Table, reading: Reading, *, numbers: Sequence[int] | None = None) -> Parsed:
    """Read OCSF records; those of other events than VPC flows are reported with their number, by default their row."""
    numbers = range(1, table.num_rows + 1) if numbers is None else numbers
    reasons = complaints(table)
    other = pc.indices_nonzero(pc.is_valid(reasons)).to_pylist()
    bad_lines = [
        BadLine(reading.file, numbers[row], str(table.slice(row, 1).to_pylist()[0]), reasons[row].as_py())
        for row in other
    ]
    flows = pc.is_null(reasons)
    flat = flow_columns(table).filter(flows)
    if not flat.column_names:
        raise RefusedError(1, ", ".join(table.column_names), "these OCSF records have no fields of a flow log")
    kept = [numbers[row] for row in pc.indices_nonzero(flows).to_pylist()] if other else numbers
    parsed = read_named(flat, columns_of(flat.column_names, {}), reading, numbers=kept)
    parsed.bad_lines = sorted([*bad_lines, *parsed.bad_lines], key=lambda bad: bad.line)
    return parsed
