"""What adds columns to records: two renderings of one rule, as a selection has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from flowlens.columns import Need, need_fields

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["Enrichment"]


class Enrichment(ABC):
    """Columns of words that are worked out from the columns of each record.

    In a frame that is done once per distinct value, with numpy. Anywhere else it is an Ibis expression, which any
    engine can run and print.
    """

    #: The method that adds them.
    verb: str

    #: Of each column that is added, the columns it can be made from; those that a log lacks are done without.
    inputs: Mapping[str, tuple[str, ...]]

    #: Whether nothing is looked at but the record itself, so that it does not matter which others there are.
    of_one_record: bool = True

    #: The columns that cannot be done without.
    needs: tuple[Need, ...] = ("srcaddr", "dstaddr")

    def check(self, columns: Collection[str]) -> None:
        """Refuse records that lack what is needed.

        Raises
        ------
        MissingFieldError
            With the first field that is missing.
        """
        need_fields(self.needs, self.verb, columns)

    def added(self, columns: Collection[str]) -> tuple[str, ...]:  # noqa: ARG002 - some depend on the log
        """Return the columns that records with these columns get."""
        return tuple(self.inputs)

    def takes(self, added: str, columns: Collection[str]) -> Collection[str]:  # noqa: ARG002 - as above
        """Return the columns that one that is added is made from, of records with these columns."""
        return self.inputs[added]

    @abstractmethod
    def of_frame(self, df: pd.DataFrame) -> dict[str, pd.Categorical[str]]:
        """Return the columns for the records of a frame."""

    @abstractmethod
    def of_table(self, table: ir.Table, wanted: Collection[str]) -> ir.Table:
        """Return a table, which has addresses as text, with those of the columns that are wanted beside its own."""
