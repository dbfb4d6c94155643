"""Make the screenshots of the documentation from the real program.

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/screenshots.py STUDY MODEL WELL [OUT]

STUDY is a study with predictions of MODEL; WELL is shown beside the plate.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QApplication

from cellvote.gui.session import session_of
from cellvote.gui.view import open_viewer
from cellvote.study import Study

PATIENCE_S = 20.0


def main() -> None:
    """Open the study, click a well, wait for its layers, and save the window."""
    path, model, well = sys.argv[1:4]
    out = Path(sys.argv[4] if len(sys.argv) > 4 else "docs/images")
    study = Study.open(path)
    key = next(field for field in study.fields if field.well == well)
    viewer = open_viewer(study.path)
    viewer.window.resize(1560, 960)
    state = session_of(viewer).state
    wait(lambda: state.study is not None)
    state.model, state.key = model, key
    wait(lambda: any("rediction" in layer.name for layer in viewer.layers))
    pause(2.0)
    out.mkdir(parents=True, exist_ok=True)
    viewer.window.screenshot(str(out / "plate.png"), flash=False)
    viewer.close()


def wait(ready: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError("the window did not get there")
        pause(0.05)


def pause(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
