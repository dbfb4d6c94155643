"""napari with a study open and the docks arranged: ``cellvote view STUDY``."""

from pathlib import Path
from typing import Final

import napari
from qtpy.QtCore import Qt, QTimer

from cellvote.gui.session import session_of

_HEIGHTS: Final = (540, 310)

DOCKS: Final = ("Plate", "Segment", "Train", "Predict")
"""The docks, as the manifest names them."""


def open_viewer(path: str | Path, *, show: bool = True) -> "napari.Viewer":
    """Open a viewer with a study: the Plate dock above, the others as tabs below it.

    Parameters
    ----------
    path
        The study; it is read in another thread, so the window is there at once.
    """
    viewer = napari.Viewer(title=f"CellVote · {Path(path).name}", show=show, show_welcome_screen=False)
    session_of(viewer).open_study(path)
    add_docks(viewer)
    return viewer


def add_docks(viewer: "napari.Viewer") -> None:
    """Add every dock that is not there yet: Plate above, the others as tabs below it, Segment in front."""
    docks = []
    for number, name in enumerate(DOCKS):
        dock, _ = viewer.window.add_plugin_dock_widget("cellvote", name, tabify=number > 1)
        dock.setWindowTitle(name)  # what stands on its tab
        docks.append(dock)
    window = docks[0].window()

    def _share_height() -> None:
        docks[1].raise_()  # the tab that was made last is in front until now
        window.resizeDocks(docks[:2], list(_HEIGHTS), Qt.Orientation.Vertical)

    timer = QTimer(docks[0])  # once the window has laid itself out; gone with the dock
    timer.setSingleShot(True)
    timer.timeout.connect(_share_height)
    timer.start(0)


def view_study(path: str | Path) -> None:
    """Open napari with a study, and return when its window is closed."""
    open_viewer(path)
    napari.run()
