"""Has napari draw characters before they are written: the first time each takes 7 ms, and a line is of dozens."""

from collections.abc import Iterator
from functools import partial
from operator import getitem
from string import ascii_letters, digits
from typing import Final

from napari.components import ViewerModel

from cellvote.gui.turns import Step

CHARACTERS: Final = f"{digits} {ascii_letters}·.,…-:/%()_■µ×"
"""Of the names of wells, rows and columns, and of what is said of them."""


def drawing_characters(viewer: ViewerModel) -> Iterator[Step]:
    """Give what is to be done, a character each; nothing for a viewer without a window that is seen."""
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if window is None or not window.isVisible():
        return
    font = window._qt_viewer.canvas.font_info()  # noqa: SLF001 (the one that all text on this canvas is drawn with)
    characters = font.font_manager.get_font(font.face)
    for character in CHARACTERS:
        yield partial(getitem, characters, character)
