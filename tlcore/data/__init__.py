"""Training data: uploads are read, checked, split once, and stored as immutable datasets."""

from tlcore.core.findings import Finding, RejectedRow
from tlcore.data.dataset import Dataset, DatasetInfo
from tlcore.data.from_spec import check, read

__all__ = ["Dataset", "DatasetInfo", "Finding", "RejectedRow", "check", "read"]
