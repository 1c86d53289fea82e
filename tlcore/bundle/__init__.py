"""What is downloaded: a zip that runs without the studio. Packing, opening, predicting."""

from tlcore.bundle.open import Bundle, predictions_csv, set_aside_csv
from tlcore.bundle.pack import pack

__all__ = ["Bundle", "pack", "predictions_csv", "set_aside_csv"]
