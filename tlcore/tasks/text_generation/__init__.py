"""Text generation: a causal language model is fine-tuned to continue texts like the user's."""
