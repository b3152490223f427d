"""Sound as pipelines hear it: one mono stream at a known rate, in blocks, decoded once."""

from frameloom.worker.sound.base import SoundBlock, SoundRequest, SoundSource, open_sound

__all__ = ["SoundBlock", "SoundRequest", "SoundSource", "open_sound"]
