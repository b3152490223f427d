"""The embedded stack: three real servers from Python wheels, and every service, in one terminal."""
