"""Handlers: from shapes to services and back. Each is a few lines; the work is in the services."""
