"""What a flow log needs around it in AWS, as text to paste there: `flowlens.aws.athena_ddl`."""

from flowlens.aws.athena import athena_ddl

__all__ = ["athena_ddl"]
