"""Decoding on a GPU, measured in one go: see README.md."""
