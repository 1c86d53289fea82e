"""Multi-label text classification: one network with a binary decision for each label."""
