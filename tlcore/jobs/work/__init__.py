"""What the kinds of job do: one file here, one line in ``jobs/kinds.py``."""
