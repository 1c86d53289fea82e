"""The command line: the studio's verbs without a browser, and the server that opens it.

Reads arguments and prints; the work is done by flow and execution.
"""
