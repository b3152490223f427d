"""Sound as pipelines hear it: one mono stream at a known rate, in blocks, decoded once."""

from frameloom.worker.sound.base import SoundBlock, SoundRequest, SoundSource, open_sound
from frameloom.worker.sound.sharing import Reblocker, deal, shared_request

__all__ = [
    "Reblocker",
    "SoundBlock",
    "SoundRequest",
    "SoundSource",
    "deal",
    "open_sound",
    "shared_request",
]
