"""Evaluation of trained models: records, intervals, verdicts, calibration, label savings.

Works on records and arrays only. Apart from the stored label savings it reads no files; it loads no model and no
dataset and writes nothing.
"""
