"""What is to be known of staged examples before they become a dataset: one module for each kind of target.

A check finds and says; it changes no row.
"""
