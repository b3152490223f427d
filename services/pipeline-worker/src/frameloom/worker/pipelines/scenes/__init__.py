"""Detectors of scene cuts."""
