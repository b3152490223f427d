"""The containers and codecs that are read, in FFmpeg's names: one list for the upload gate and for workers.

FFmpeg knows hundreds more. Each is code that runs on bytes of strangers, and some are playlists or scripts
that name further files. So nothing is guessed: the first bytes decide the demuxer
(:func:`frameloom.common.media.sniffing.sniff`), and only these codecs are ever opened.
"""

from __future__ import annotations

from collections.abc import Mapping

DEMUXERS: Mapping[str, str] = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/mp2t": "mpegts",
    "video/mpeg": "mpeg",
    "video/x-flv": "flv",
    "application/ogg": "ogg",
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    "audio/flac": "flac",
}
"""The demuxer of each media type that :func:`sniff` answers."""

VIDEO_CODECS = frozenset(
    {
        *("h264", "hevc", "vvc", "av1", "vp8", "vp9", "vp6f", "theora"),
        *("mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3"),
        *("h261", "h263", "flv1", "wmv1", "wmv2", "wmv3", "vc1", "svq1", "svq3", "cinepak", "rpza"),
        *("mjpeg", "jpeg2000", "png", "qtrle", "dvvideo", "dnxhd", "prores", "cfhd", "hap"),
        *("ffv1", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "rawvideo", "v210"),
    }
)
"""Of moving pictures, by the names of FFmpeg's codec descriptors."""

AUDIO_CODECS = frozenset(
    {
        *("aac", "mp1", "mp2", "mp3", "opus", "vorbis", "flac", "alac", "ac3", "eac3", "dts", "truehd"),
        *("amr_nb", "amr_wb", "speex", "gsm", "gsm_ms", "nellymoser", "wmav1", "wmav2"),
        *("adpcm_ms", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_swf", "pcm_alaw", "pcm_mulaw"),
        *("pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_s32be"),
        *("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_bluray", "pcm_dvd"),
    }
)
"""Of sound, likewise."""

DECODER_MAX_PIXELS = 2**27
"""Pictures in the middle of a stream may be larger than the first one, which is all that the gate sees. Who
decodes on sets this as FFmpeg's ``max_pixels``."""

DECODERS_OF_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "av1": ("libdav1d",),
    "mp1": ("mp1float",),
    "mp2": ("mp2float",),
    "mp3": ("mp3float",),
    "dts": ("dca",),
    "amr_nb": ("amrnb",),
    "amr_wb": ("amrwb",),
    "flv1": ("flv",),
    "msmpeg4v3": ("msmpeg4",),
}
"""Where FFmpeg's decoder is not named as its codec."""


def format_whitelist() -> str:
    """For FFmpeg's option of this name."""
    return ",".join(sorted(set(DEMUXERS.values())))


def codec_whitelist() -> str:
    """For FFmpeg's option of this name: every decoder that may be opened."""
    codecs = VIDEO_CODECS | AUDIO_CODECS
    others = {name for codec in codecs for name in DECODERS_OF_OTHER_NAMES.get(codec, ())}
    return ",".join(sorted(codecs | others))
