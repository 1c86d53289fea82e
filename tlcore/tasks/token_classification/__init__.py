"""Named entity recognition: the words of a text that name a person, a place, a product, with labels."""
