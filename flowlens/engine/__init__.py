"""What runs the analyses: every one is an Ibis expression over one table, `flows`, whatever holds the records."""

from flowlens.engine.files import FileRecords
from flowlens.engine.frames import flows_of_frame, run
from flowlens.engine.records import Filters, Records, narrowed
from flowlens.engine.sql import flows_of_words, lacks, sql
from flowlens.engine.tables import TableRecords

__all__ = [
    "FileRecords",
    "Filters",
    "Records",
    "TableRecords",
    "flows_of_frame",
    "flows_of_words",
    "lacks",
    "narrowed",
    "run",
    "sql",
]
