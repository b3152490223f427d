"""Detection and identity of faces."""
