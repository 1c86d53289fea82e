"""The text modality: texts stay in the table of rows. Finds duplicates, languages and personal data.

No tokenization here: it depends on the source model (tlcore/models/tokenization.py).
"""
