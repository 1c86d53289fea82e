"""Bundles: zips of a trained model that run without the studio. Packing, opening, predicting.

Bundles are untrusted: opening one needs no torch and never runs its code.
"""

from tlcore.bundle.open import Bundle, predictions_csv, set_aside_csv
from tlcore.bundle.pack import pack
from tlcore.bundle.pretrained_source import pack as pack_pretrained

__all__ = ["Bundle", "pack", "pack_pretrained", "predictions_csv", "set_aside_csv"]
