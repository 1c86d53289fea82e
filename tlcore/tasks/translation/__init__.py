"""Translation: a text in one language becomes the same text in another."""
