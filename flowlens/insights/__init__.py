"""The analyses as queries of CloudWatch Logs Insights."""

from flowlens.insights.log import fields_of_log
from flowlens.insights.queries import kept_records
from flowlens.insights.text import InsightsText

__all__ = ["InsightsText", "fields_of_log", "kept_records"]
