"""What is known, put into the shapes of the API, and cut to what the caller may see. Pure."""
