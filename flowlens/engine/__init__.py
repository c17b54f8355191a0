"""What runs the analyses: every one is an Ibis expression over one table, `flows`, whatever holds the records."""

from flowlens.engine.files import FileRecords
from flowlens.engine.frames import GroundOfFrame, flows_of_frame, run, run_categorical
from flowlens.engine.ground import Ground, ReductionOfGround
from flowlens.engine.records import Records, Reduction, Step, columns_after, prepared
from flowlens.engine.results import in_categories
from flowlens.engine.sql import condition, flows_of_words, lacks, sql, used_columns
from flowlens.engine.tables import TableRecords

__all__ = [
    "FileRecords",
    "Ground",
    "GroundOfFrame",
    "Records",
    "Reduction",
    "ReductionOfGround",
    "Step",
    "TableRecords",
    "columns_after",
    "condition",
    "flows_of_frame",
    "flows_of_words",
    "in_categories",
    "lacks",
    "prepared",
    "run",
    "run_categorical",
    "sql",
    "used_columns",
]
