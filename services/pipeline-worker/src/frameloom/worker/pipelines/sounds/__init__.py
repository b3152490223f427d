"""Sounds of all kinds: YAMNet and the events made of its scores, and the figures of acoustics."""
