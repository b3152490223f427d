"""Emotions in the voice: segments of sound, and their features."""
