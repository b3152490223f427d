"""What was published for the original, which is not here and was not run: the size of a ratio counts."""

REFERENCE = "VideoAnnotator 1.4.4 (published)"
PUBLISHED: dict[tuple[str, int], tuple[float, float, float]] = {
    ("health", 1): (654, 1.24, 10.7),
    ("health", 16): (957, 14.2, 193),
    ("list of 10", 1): (19, 52, 68),
    ("list of 10", 16): (24, 646, 1050),
    ("list of 1000", 1): (21, 46, 141),
    ("list of 1000", 16): (17, 880, 1450),
    ("one of 10", 16): (94, 169, 354),
    ("one of 1000", 16): (54, 267, 578),
    ("submit", 1): (56, 16, 42),
    ("submit", 8): (28, 273, 602),
}
"""Requests a second, p50 and p99 in milliseconds, by what is asked for and connections; two cores, 24 GiB."""
