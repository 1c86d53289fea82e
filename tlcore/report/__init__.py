"""What a run means: scores with intervals, the verdict, what it cost, and the errors worth looking at."""

from tlcore.report.build import build
from tlcore.report.mlflow_mirror import mirror

__all__ = ["build", "mirror"]
