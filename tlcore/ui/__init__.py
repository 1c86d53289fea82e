"""The browser part, the only one that imports streamlit: guard, state, forms, live view, charts.

Pages are short scripts; what they call stands here. Nothing in here trains: it reads the store, submits jobs.
"""

from tlcore.ui.guard import guard
from tlcore.ui.links import learn_link

__all__ = ["guard", "learn_link"]
