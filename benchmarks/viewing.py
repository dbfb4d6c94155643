"""From a click on a well to all of its channels on the canvas, against reading the same files with ``tifffile.imread``.

    python benchmarks/viewing.py [--wells 24] [--dock]

Five channels of 1080 × 1080 pixels of 16 bits, LZW, in the page cache; a real napari window. The clock stops when the
canvas has painted the new pixels. Both are measured on the same wells in turn; medians. Where no display is there, run
it under ``xvfb-run``: pixels are then painted by the processor, which a graphics card would do. ``read_ahead`` is a
click on the well beside, once it has been read ahead.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import tifffile
from napari import Viewer
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

from cellvote.gui.session import Session, session_of
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.synthetic import PlateSettings, design_plate, simulate_field

if TYPE_CHECKING:
    from napari._vispy.canvas import VispyCanvas

N_FIELDS = 8
LIMIT = 1.5
_WAIT = QEventLoop.ProcessEventsFlag.AllEvents | QEventLoop.ProcessEventsFlag.WaitForMoreEvents
"""As a window does: asking again and again would take a core from the threads that read."""


def main() -> None:
    """Click through the wells, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wells", type=int, default=24)
    parser.add_argument("--dock", action="store_true", help="with the Plate dock beside")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder), arguments.wells)
        viewer = Viewer(title="CellVote · benchmark")
        if arguments.dock:
            viewer.window.add_plugin_dock_widget("cellvote", "Plate")
        session = session_of(viewer)
        session.open_study(study.path)
        wait(session)
        result = measure(study, session, viewer.window._qt_viewer.canvas)  # noqa: SLF001 (its paint events)
        session.close()
        viewer.close()
    print(json.dumps(result, indent=2))


def make_study(folder: Path, n_wells: int) -> Study:
    """Write the images of a few wells, and link them under the names of all."""
    settings = PlateSettings(field_size_px=1080, cells_per_field=250)
    images = folder / "plate"
    images.mkdir()
    wells = list(design_plate(settings).wells)
    for number in range(n_wells):
        for channel in range(5):
            source = folder / f"{number % N_FIELDS}-{channel}.tif"
            if not source.exists():
                image = simulate_field(settings, wells[number % N_FIELDS]).image
                plane = image[channel % len(image)]
                tifffile.imwrite(source, plane, compression="lzw", predictor=True, metadata=None)
            name = f"r{1 + number // 12:02d}c{1 + number % 12:02d}f01p01-ch{channel + 1}sk1fk1fl1.tiff"
            (images / name).hardlink_to(source)
    return Study.create(folder / "bench", read_plate(images))


def wait(session: Session, seconds: float = 1.0) -> None:
    """Let the window come to rest."""
    end = time.monotonic() + seconds
    while not session.idle or time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def measure(study: Study, session: Session, canvas: "VispyCanvas") -> dict[str, object]:
    """Read and click every well in turn, far from the one before, so that it was not read ahead."""
    drawn: list[float] = []
    changed: list[float] = []
    canvas._scene_canvas.events.draw.connect(lambda _event: drawn.append(time.perf_counter()), position="last")  # noqa: SLF001
    session.layers.of_field()[-1].events.data.connect(lambda _event: changed.append(time.perf_counter()))
    reads, clicks, ahead, painted = [], [], [], []
    half = len(study.fields) // 2
    order = [key for pair in zip(study.fields[:half], study.fields[half:], strict=False) for key in pair]
    for key in order[1:]:
        paths = [study.source / path for path in study.planes_of(key)["path"]]
        started = time.perf_counter()
        for path in paths:
            tifffile.imread(path)
        reads.append(time.perf_counter() - started)
        session._cache.clear()  # noqa: SLF001 (what was read ahead would be no reading at all)
        clicks.append(click(session, key, drawn, changed))
        painted.append(repaint_s(canvas, drawn))
        wait(session, 0.5)
        beside = study.fields[(study.fields.index(key) + 1) % len(study.fields)]
        ahead.append(click(session, beside, drawn, changed)[1])
        wait(session, 0.2)
    read = statistics.median(reads)
    in_layers, clicked = (statistics.median(times) for times in zip(*clicks, strict=True))
    return {
        "wells": len(clicks),
        "imread_ms": round(read * 1e3, 1),
        "click_to_layers_ms": round(in_layers * 1e3, 1),
        "click_to_canvas_ms": round(clicked * 1e3, 1),
        "click_over_imread": round(clicked / read, 2),
        "limit": LIMIT,
        "read_ahead_ms": round(statistics.median(ahead) * 1e3, 1),
        "a_paint_event_ms": round(statistics.median(painted) * 1e3, 1),
    }


def click(session: Session, key: FieldKey, drawn: list[float], changed: list[float]) -> tuple[float, float]:
    """Ask for a well as the plate view does; time until its last channel is in its layer, and until it is painted."""
    started = time.perf_counter()
    session.state.choose_well(key.plate, key.well)
    while not changed or changed[-1] < started or not drawn or drawn[-1] < changed[-1]:
        QApplication.processEvents(_WAIT)
    return changed[-1] - started, drawn[-1] - started


def repaint_s(canvas: "VispyCanvas", drawn: list[float]) -> float:
    """Time a paint event by itself."""
    started, n = time.perf_counter(), len(drawn)
    canvas.native.update()
    while len(drawn) == n:
        QApplication.processEvents(_WAIT)
    return drawn[-1] - started


if __name__ == "__main__":
    main()
