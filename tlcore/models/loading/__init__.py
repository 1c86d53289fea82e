"""From a folder with ``config.json`` and ``model.safetensors`` to a network that can be trained.

Importing this is light; torch, timm and transformers are imported when a folder is opened or built.
"""

from tlcore.models.loading.loader import OpenSource, load, open_folder, refuse_large

__all__ = ["OpenSource", "load", "open_folder", "refuse_large"]
