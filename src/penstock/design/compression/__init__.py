"""Stages of compression, each from a float32 graph to a smaller one, and what they cost."""
