"""Where work executes: a worker claims jobs, starts one child process each, and watches them.

Job kinds are thin: they call the rooms below. The database decides the state of a job, never a process.
"""
