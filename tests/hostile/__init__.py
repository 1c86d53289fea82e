"""Broken and malicious inputs, each built from code where a test needs it."""
