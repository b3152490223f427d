"""Media files: opening them safely, and telling what is in them."""
