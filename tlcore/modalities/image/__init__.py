"""The image modality: images are decoded once, checked, and stored as files named by content hash.

No training and no splitting here. An image that cannot be used is a rejected row, not a failure.
"""
