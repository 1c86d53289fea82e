"""Transfer Learning Studio: transfer learning for few labels, with an honest from-scratch twin."""

__version__ = "0.2.0"
