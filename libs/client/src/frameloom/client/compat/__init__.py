"""The ``videoannotator`` command: VideoAnnotator's command line, for scripts that call it.

Its commands, options, lines and exit codes are those of VideoAnnotator 1.4, so that a script goes on when the
server it talks to is a Frameloom gateway. What the original only announces (``process``, a check of a
configuration against the pipelines, ``storage-cleanup``) works here, and a key is sent where there is one.
"""

from frameloom.client.compat.cli import main

__all__ = ["main"]
