"""What was measured before training, and what it suggests."""

from tlcore.guidance.advice import Advice, advise
from tlcore.guidance.evidence import Evidence, measure

__all__ = ["Advice", "Evidence", "advise", "measure"]
