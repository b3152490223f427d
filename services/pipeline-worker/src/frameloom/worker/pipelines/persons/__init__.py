"""Parts of ``person_tracking``."""
