"""Texts as examples: they stay in the table of rows; copies, languages and personal data are found here.

Never cuts a text into tokens: that depends on the source model (tlcore/models/tokenization.py).
"""
