"""Text generation: a network learns to go on writing as the person's texts do."""
