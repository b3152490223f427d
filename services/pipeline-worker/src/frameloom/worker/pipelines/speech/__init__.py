"""Speech: where it is, what is said, and who says it."""
