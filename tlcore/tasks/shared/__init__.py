"""Code shared by tasks: batches and outputs, examples of each modality, scores, heads, attributions.

It defines no task; each module serves at least two tasks.
"""
