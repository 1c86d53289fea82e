"""The files of an upload, none of them trusted: archives checked before they are unpacked, folders read without links.

Knows names, sizes and bytes alone; what a file means is the readers' matter (tlcore/data/readers).
"""
