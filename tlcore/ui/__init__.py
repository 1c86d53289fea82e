"""The browser part, the only one that imports streamlit: guard, state, one view for each part of a page.

Reads the store and submits jobs; never trains, and never imports torch.
"""

from tlcore.ui.guard import guard
from tlcore.ui.links import learn_link

__all__ = ["guard", "learn_link"]
