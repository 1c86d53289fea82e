"""What is downloaded: a zip that runs without the studio. Packing, opening, predicting.

Opening needs no torch and never runs code of a bundle, which may come from anywhere.
"""

from tlcore.bundle.open import Bundle, predictions_csv, set_aside_csv
from tlcore.bundle.pack import pack
from tlcore.bundle.pretrained_source import pack as pack_pretrained

__all__ = ["Bundle", "pack", "pack_pretrained", "predictions_csv", "set_aside_csv"]
