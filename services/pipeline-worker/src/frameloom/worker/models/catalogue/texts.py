"""Text in pictures."""

from __future__ import annotations

from frameloom.worker.models.spec import ModelSpec, PackageSource

_PACKAGE = ("rapidocr", "3.10.0")


def _part(name: str, file_name: str, sha256: str, size_bytes: int) -> ModelSpec:
    return ModelSpec(
        name=name,
        version="6-small",
        file_name=file_name,
        sha256=sha256,
        size_bytes=size_bytes,
        licence="Apache-2.0",
        source=PackageSource(*_PACKAGE, f"rapidocr/models/{file_name}"),
        optional=True,
    )


MODELS = (
    _part(
        "pp-ocr-detection",
        "PP-OCRv6_det_small.onnx",
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        9_929_594,
    ),
    _part(
        "pp-ocr-recognition",
        "PP-OCRv6_rec_small.onnx",
        "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        21_234_383,
    ),
)
