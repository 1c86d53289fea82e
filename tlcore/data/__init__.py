"""What a model is learned from: uploads read, checked, split once, and kept as immutable datasets.

Never changes a dataset once it is confirmed, and never looks at a source model.
"""

from tlcore.core.findings import Finding, RejectedRow
from tlcore.data.dataset import Dataset, DatasetInfo
from tlcore.data.from_spec import check, read

__all__ = ["Dataset", "DatasetInfo", "Finding", "RejectedRow", "check", "read"]
