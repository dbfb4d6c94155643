"""Words on the canvas: the vote of the field, and below it the legend of the classes."""

import weakref
from collections.abc import Sequence
from typing import Final

from napari.components import ViewerModel
from napari.components.overlays import TextOverlay

_LEGEND: Final = "cellvote_class_"
_MOST: Final = 20
_ERROR_COLOUR: Final = "#ff8a80"


class CanvasText:
    """The text on one viewer's canvas.

    Parameters
    ----------
    viewer
        Only a weak reference is kept.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = weakref.ref(viewer)

    def show(self, text: str, *, error: bool = False) -> None:
        """Write on the canvas; an empty text takes it away."""
        viewer = self._viewer()
        if viewer is None:
            return
        overlay = viewer.canvas.overlays.text
        overlay.position = "top_left"
        overlay.font_size = 12
        overlay.order = 10**6
        overlay.color = _ERROR_COLOUR if error else None
        overlay.text = text
        overlay.visible = bool(text)

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
                overlays[key] = TextOverlay(position="top_left", font_size=11, order=10**6 + 1 + number)
            overlays[key].text = f"■ {name}"
            overlays[key].color = colour
            overlays[key].visible = True

    def clear(self) -> None:
        """Take everything away."""
        self.show("")
        self.show_legend([], [])
