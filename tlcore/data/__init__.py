"""What a model is learned from: uploads read, checked, split once, and kept as immutable datasets."""

from tlcore.data.dataset import Dataset, DatasetInfo
from tlcore.data.findings import Finding, SetAside
from tlcore.data.reading import check, read

__all__ = ["Dataset", "DatasetInfo", "Finding", "SetAside", "check", "read"]
