"""Named entities: the words of a text that name a person, a place, a product, each with its label."""
