"""The 521 classes of sound that YAMNet knows, by the names that AudioSet gives them.

The names are here and not only beside the model, so that a configuration can be checked where no model is.
"""

from __future__ import annotations

from importlib.resources import files

CLASSES: tuple[str, ...] = tuple(
    (files(__package__) / "audioset_classes.txt").read_text("utf-8").splitlines()
)
"""In the order of the model's scores."""

VOICE_SOUNDS: tuple[str, ...] = (
    "Shout",
    "Bellow",
    "Whoop",
    "Yell",
    "Children shouting",
    "Screaming",
    "Whispering",
    "Laughter",
    "Baby laughter",
    "Giggle",
    "Snicker",
    "Belly laugh",
    "Chuckle, chortle",
    "Crying, sobbing",
    "Baby cry, infant cry",
    "Whimper",
    "Wail, moan",
    "Sigh",
    "Groan",
    "Gasp",
)
"""What voices do beside speaking. It tells what is heard, not what anybody feels."""
