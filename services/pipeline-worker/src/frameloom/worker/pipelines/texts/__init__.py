"""Text in pictures: finding it, reading it, and following it through time."""
