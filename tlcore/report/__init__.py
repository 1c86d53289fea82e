"""What a run means: scores with intervals, the verdict in words, what it cost, and the errors to look at.

Reads stored outputs and packed weights; never trains, and never chooses anything on the test set.
"""

from tlcore.report.build import build
from tlcore.report.mlflow_mirror import mirror

__all__ = ["build", "mirror"]
