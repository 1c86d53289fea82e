"""The gradient loop for every task and strategy, the feature cache, checkpoints, and context shared by all arms.

Strategies differ only in plan and hooks; no code here depends on a strategy's name.
"""
