"""The report of a run: scores with intervals, the verdict as text, the cost, and the worst errors.

Reads stored outputs and packed weights. Never trains, and never selects anything on the test set.
"""

from tlcore.report.build import build
from tlcore.report.mlflow_mirror import mirror

__all__ = ["build", "mirror"]
