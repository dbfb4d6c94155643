"""Words on the canvas: lines that are too long are broken, and never clipped."""

import pytest

from cellvote.gui.canvas_text import wrapped


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two · three", 8, ["one two", "three"]),
        ("one two three · four", 8, ["one two", "three", "four"]),
        ("short\nPLLT0012_29--ex2005", 10, ["short", "PLLT0012", "_29--ex2", "005"]),
        ("/a/long/path/x.json: no such file", 12, ["/a/long/pa", "th/x.json:", "no such file"]),
        ("", 10, [""]),
    ],
)
def test_every_line_fits(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width).split("\n") == lines
