"""Where work executes: a worker claims jobs, starts one child process each, and watches them.

The database is the truth. ``worker.py`` claims and watches, ``child.py`` works, ``foreground.py`` does the same in
the current process, ``reconcile.py`` finds jobs whose process is gone, ``presence.py`` says which workers there are.
"""
