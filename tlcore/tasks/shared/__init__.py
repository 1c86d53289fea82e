"""What tasks have in common: batches and outputs, examples of each modality, scores, heads, attributions.

Holds no task of its own: a module here serves at least two of them.
"""
