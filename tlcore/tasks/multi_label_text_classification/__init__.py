"""Text classification with any number of labels a text: one network, one yes or no for each label."""
