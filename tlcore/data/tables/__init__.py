"""Tables of any usual format, read row by row: CSV, TSV, JSON lines, Excel and Parquet.

Values only, never formulas, links or macros; what a column means is the readers' matter.
"""
