"""Has napari draw characters before they are written: the first time each takes 7 ms, and a line is of dozens."""

from collections.abc import Iterator
from functools import partial
from string import ascii_letters, digits
from typing import Any, Final

from napari.components import ViewerModel

from cellvote.gui.turns import Step

CHARACTERS: Final = f"{digits} {ascii_letters}·.,…-:/%()_■µ×"
"""Of the names of wells, rows and columns, and of what is said of them."""


def drawing_characters(viewer: ViewerModel) -> Iterator[Step]:
    """Give what is to be done, a character each.

    Nothing for a viewer without a window that is seen, nor for a napari that keeps its fonts elsewhere: then they are
    drawn when they are written.
    """
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if window is None or not window.isVisible():
        return
    canvas = getattr(getattr(window, "_qt_viewer", None), "canvas", None)
    font_info = getattr(canvas, "font_info", None)
    if font_info is None:
        return
    font = font_info()  # the one that all text on this canvas is drawn with
    characters = font.font_manager.get_font(font.face)
    for character in CHARACTERS:
        yield partial(_draw, characters, character)


def _draw(characters: Any, character: str) -> None:
    characters.__getitem__(character)
