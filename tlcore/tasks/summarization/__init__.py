"""Summarization: a long text becomes a short one."""
