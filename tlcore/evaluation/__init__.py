"""Scores of trained models and what may be said of them: records, intervals, verdicts, calibration, label savings.

Works on records and arrays alone: it loads no model, reads no dataset and writes no file.
"""
