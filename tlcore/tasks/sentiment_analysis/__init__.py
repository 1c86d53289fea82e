"""Sentiment analysis: text classification with labels ordered by polarity."""
