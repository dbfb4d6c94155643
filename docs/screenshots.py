"""Make the screenshots of the documentation from the program itself.

On a machine without a display: ``xvfb-run -a -s "-screen 0 1440x920x24" python docs/screenshots.py STUDY MODEL OUT``.
"""

import argparse
import time
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from cellvote.gui.plate_columns import CORRECT, VOTE_SHARE
from cellvote.gui.session import Session, session_of
from cellvote.gui.view import DOCKS, open_viewer

WINDOW_PX = (1400, 880)
PATIENCE_S = 60.0


def settle(session: Session, least_s: float = 0.5) -> None:
    """Let the window live until everything that was asked for is shown."""
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE_S:
        QApplication.processEvents()
        time.sleep(0.01)
        if session.idle and time.monotonic() - started > least_s:
            return
    raise SystemExit(f"The window was not done after {PATIENCE_S:.0f} s.")


def widget_of(viewer: ViewerModel, name: str) -> tuple[Any, Any]:
    """Give a dock and what is in it."""
    dock, widget = viewer.window.add_plugin_dock_widget("cellvote", name)
    dock.raise_()
    return dock, widget


def take_screenshots(study: Path, model: str, out: Path, well: str) -> list[Path]:
    """Open a study, look at it as a person would, and keep what is seen."""
    out.mkdir(parents=True, exist_ok=True)
    viewer = open_viewer(study)
    viewer.window.resize(*WINDOW_PX)
    session = session_of(viewer)
    settle(session, 2.0)
    session.state.model = model
    settle(session)
    session.state.choose_well(session.state.plate, well or _telling_well(session))
    made = []

    def keep(name: str, widget: Any = None) -> None:
        settle(session)
        path = out / f"{name}.png"
        if widget is None:
            viewer.window.screenshot(str(path), flash=False)
        else:
            widget.grab().save(str(path))
        made.append(path)

    _, plate = widget_of(viewer, "Plate")
    plate.colour_by(VOTE_SHARE)
    for name in DOCKS[1:]:
        widget_of(viewer, name)
        keep(f"window-{name.casefold()}")
    keep("plate-votes", plate)
    plate.colour_by(CORRECT)
    keep("plate-right-or-wrong", plate)
    settle(session)
    viewer.screenshot(str(out / "well.png"), canvas_only=True, flash=False)
    viewer.close()
    return [*made, out / "well.png"]


def _telling_well(session: Session) -> str:
    """Choose the well whose vote is won most narrowly: there both classes are to be seen."""
    facts = session.state.facts
    if facts is None or facts.predicted is None:
        return session.state.key.well if session.state.key else ""
    votes = {well: vote for (plate, well), vote in facts.predicted.wells.items() if plate == session.state.plate}
    return min(votes, key=lambda well: (votes[well].class_name not in facts.predicted.classes, votes[well].margin))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("model", help="a classifier that has predicted the study")
    parser.add_argument("out", type=Path, help="folder for the PNG files")
    parser.add_argument("--well", default="", help="the well to show; the one with the narrowest vote if not given")
    given = parser.parse_args()
    for written in take_screenshots(given.study, given.model, given.out, given.well):
        print(written)
