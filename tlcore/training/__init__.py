"""One gradient loop for every task and strategy, the feature cache, checkpoints, and what both arms share.

Strategies differ by plan and hooks alone; nothing here knows a strategy's name.
"""
