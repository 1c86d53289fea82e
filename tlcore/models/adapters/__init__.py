"""Networks of each architecture family behind one contract: features, head, layer groups, save.

One module for each family and library. They import torch at module level, so only loading code imports them.
"""
