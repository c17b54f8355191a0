"""A log as Logs Insights sees it: what its fields are called, and which are found without being asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowlens.columns import GATEWAY_ONLY, VPC_ONLY, missing_field
from flowlens.errors import EngineError
from flowlens.schema import BY_COLUMN, DEFAULT_FIELDS

__all__ = ["ENGINE", "Log", "fields_of_log"]

ENGINE = "CloudWatch Logs Insights"

_DEFAULT = tuple(field.column for field in DEFAULT_FIELDS)

#: The fields of the default format that it finds by itself under other names than AWS's own.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
_DISCOVERED = {
    "account_id": "accountId",
    "interface_id": "interfaceId",
    "srcaddr": "srcAddr",
    "dstaddr": "dstAddr",
    "srcport": "srcPort",
    "dstport": "dstPort",
    "start": "startTime",
    "end": "endTime",
    "log_status": "logStatus",
}


def fields_of_log(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a frame that are the fields of its log: all but those that were added behind them.

    Raises
    ------
    ValueError
        If the format of the log cannot be told from the columns.
    """
    last = max(place for place, column in enumerate(columns) if column in BY_COLUMN)
    log = tuple(columns[: last + 1])
    advice = "Pass the format of the flow log: df.flow.insights(fields='${version} ${account-id} ...')."
    strange = next((column for column in log if column not in BY_COLUMN), None)
    if strange is not None:
        raise ValueError(f"{strange!r} stands among the fields; it cannot be told whether the log has it. {advice}")
    if not GATEWAY_ONLY.isdisjoint(log) and not VPC_ONLY.isdisjoint(log):
        raise ValueError(f"this frame has fields of VPCs and of transit gateways, which no single log has. {advice}")
    return log


@dataclass(frozen=True, slots=True)
class Log:
    """The fields of a log in their order."""

    columns: tuple[str, ...]

    @property
    def of_gateway(self) -> bool:
        """Whether its records are those of a transit gateway."""
        return not GATEWAY_ONLY.isdisjoint(self.columns)

    def parse(self) -> str:
        """Return the command that takes records apart; empty for the default format, which needs none."""
        if self.columns == _DEFAULT:
            return ""
        # Names with an underscore need no backticks, as `json_message` in AWS's own queries shows:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
        return f'parse @message "{" ".join("*" * len(self.columns))}"\n    as {", ".join(self.columns)}'

    def field(self, column: str, what: str) -> str:
        """Return what queries call a field.

        Parameters
        ----------
        column
            Its column.
        what
            What needs it.

        Raises
        ------
        MissingFieldError
            If the log does not have it.
        EngineError
            If no log can have it.
        """
        if column in self.columns:
            return _DISCOVERED.get(column, column) if self.columns == _DEFAULT else column
        if column in BY_COLUMN:
            raise missing_field(column, what, self.columns)
        raise EngineError(
            what,
            ENGINE,
            f"column {column!r}",
            "Its queries see the fields of the log and nothing that was added to the frame. "
            f"Use df.flow.{what}(), or df.flow.sql(...) on a table that has the column.",
        )
