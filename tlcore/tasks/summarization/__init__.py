"""Summarization: from a long text to a short one."""
