"""Image classification: one label a picture."""
