"""File names."""

from __future__ import annotations

import pytest

from frameloom.gateway.services.media import clean_filename


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../../x.mp4", "x.mp4"),
        ("..\\..\\x.mp4", "x.mp4"),
        ("C:\\Users\\me\\my clip.mp4", "my clip.mp4"),
        ("/etc/passwd", "passwd"),
        ("..%2F..%2Fx.mp4", "x.mp4"),
        ("sp%C3%A4t.mp4", "spät.mp4"),
        ("100%ff.mp4", "100%ff.mp4"),
        ("späte Aufnahme 日本.mp4", "späte Aufnahme 日本.mp4"),
        ("a\0b\nc\u202ed.mp4", "abcd.mp4"),
        ("..", "video"),
        ("dir/", "video"),
        ("", "video"),
        (None, "video"),
        ("x" * 400 + ".mp4", "x" * 251 + ".mp4"),
        ("x" * 400, "x" * 255),
    ],
)
def test_of_a_file_name_only_a_name_is_left(given: str | None, kept: str) -> None:
    assert clean_filename(given) == kept
