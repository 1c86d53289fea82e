"""Sentiment analysis: what a text says, and whether it speaks well or badly of it. Text classification in order of"""
