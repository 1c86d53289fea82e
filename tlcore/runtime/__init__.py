"""The code of a bundle's predict.py: reads pictures and tables, preprocesses examples, postprocesses outputs.

The studio uses the same code, so training and predict.py cannot diverge. Needs no torch.
"""
