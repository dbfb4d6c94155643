"""Words on the canvas: the vote of the field, and below it the legend of the classes."""

import weakref
from collections.abc import Sequence
from typing import Any, Final

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay

_LEGEND: Final = "cellvote_class_"
_MOST: Final = 20
_ERROR_COLOUR: Final = "#ff8a80"
_SIZE_PT: Final = 11
_PX_PER_CHARACTER: Final = 10.2
"""At this size, more than the mean: vispy tells no one how wide a text will be."""

_OF_NAMES: Final = 0.85
"""So much less fits of a long file name: its digits and capitals are wide."""

_LEFT_PX: Final = 20

_SEPARATOR: Final = " · "


class CanvasText:
    """The text on one viewer's canvas.

    Parameters
    ----------
    viewer
        Only a weak reference is kept.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)
        self._text = ""
        viewer.canvas.events.size.connect(self._on_canvas_resized)

    def show(self, text: str, *, error: bool = False) -> None:
        """Write on the canvas, in as many lines as it takes; an empty text takes it away."""
        viewer = self._viewer()
        self._text = text
        if viewer is None:
            return
        overlay = viewer.canvas.overlays.text
        overlay.position = "top_left"
        overlay.font_size = _SIZE_PT
        overlay.order = 10**6
        overlay.color = _ERROR_COLOUR if error else None
        overlay.text = self._wrapped(viewer)
        overlay.visible = bool(text)

    def _wrapped(self, viewer: ViewerModel) -> str:
        return wrapped(self._text, max(int((viewer.canvas.size[1] - _LEFT_PX) / _PX_PER_CHARACTER), 20))

    def _on_canvas_resized(self, event: Any = None) -> None:
        del event
        viewer = self._viewer()
        if viewer is not None and self._text:
            viewer.canvas.overlays.text.text = self._wrapped(viewer)

    def show_legend(self, names: Sequence[str], colours: Sequence[str]) -> None:
        """List the classes in their colours, as many lines as there are classes."""
        viewer = self._viewer()
        if viewer is None:
            return
        overlays = viewer.canvas.overlays
        wanted = list(zip(names, colours, strict=True))[:_MOST]
        for old in [key for key in overlays if key.startswith(_LEGEND)]:
            if int(old.removeprefix(_LEGEND)) >= len(wanted):
                del overlays[old]
        for number, (name, colour) in enumerate(wanted):
            key = f"{_LEGEND}{number}"
            if key not in overlays:
                overlays[key] = TextOverlay(position="top_left", font_size=_SIZE_PT - 1, order=10**6 + 1 + number)
            overlays[key].text = f"■ {name}"
            overlays[key].color = colour
            overlays[key].visible = True

    def clear(self) -> None:
        """Take everything away."""
        self.show("")
        self.show_legend([], [])


def wrapped(text: str, width: int) -> str:
    """Break lines that are too long for the canvas: where one thing is said, else between words, else in a word."""
    lines = text.split("\n")
    for separator in (_SEPARATOR, " "):
        lines = [part for line in lines for part in _fitting(line, separator, width)]
    return "\n".join(part for line in lines for part in _cut(line, width))


def _cut(line: str, width: int) -> list[str]:
    """Break a line within a word, where one is longer than the canvas is wide."""
    if len(line) <= width:
        return [line]
    within = int(width * _OF_NAMES)
    return [line[at : at + within] for at in range(0, len(line), within)]


def _fitting(line: str, separator: str, width: int) -> list[str]:
    return [line] if len(line) <= width else _broken(line.split(separator), separator, width)


def _broken(parts: Sequence[str], separator: str, width: int) -> list[str]:
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(separator) + len(part) <= width:
            lines[-1] += separator + part
        else:
            lines.append(part)
    return lines
