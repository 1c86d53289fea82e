"""Tables in common formats, read row by row: CSV, TSV, JSON lines, Excel and Parquet.

Reads values only, never formulas, links or macros. The readers interpret the columns.
"""
