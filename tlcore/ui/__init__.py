"""The web UI, the only package that imports streamlit: guard, state, and one view per part of a page.

Reads the store and submits jobs. Never trains, and never imports torch.
"""

from tlcore.ui.guard import guard
from tlcore.ui.links import learn_link

__all__ = ["guard", "learn_link"]
