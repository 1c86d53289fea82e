"""Checks of staged examples, run before they become a dataset: one module per kind of target.

A check returns findings and changes no row.
"""
