"""Question answering: where in a context the answer to a question stands."""
