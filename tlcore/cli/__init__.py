"""The command line: the studio's verbs without a browser, and the server that opens it.

Reads arguments and prints; it never does the work itself: flow and execution do.
"""
