"""Make the screenshots of the documentation from the program itself, small enough to be kept in the repository.

Everything at once, into ``docs/images`` (``--study`` for a study that shows something real, with its classifier)::

    xvfb-run -a -s "-screen 0 1440x920x24" python docs/screenshots.py all docs/images [--study STUDY --model MODEL]

or only ``plate`` (plate view, overview, plate-map editor), ``segment``, ``pattern``, ``train`` or ``predict``. What is
not given is simulated.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

import napari
import numpy as np
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QApplication, QWidget

from cellvote.gui.docks.plate import PlateDock
from cellvote.gui.pattern_builder import PatternBuilder
from cellvote.gui.plate_columns import MEASURED, VOTE_SHARE
from cellvote.gui.session import Session, session_of
from cellvote.gui.view import open_viewer

WINDOW_PX: Final = (1400, 880)
PLATE_WIDTH_PX: Final = 430
TRAIN_HEIGHT_PX: Final = 640
PATIENCE_S: Final = 180.0
MOST_BYTES: Final = 250_000
N_COLOURS: Final = (256, 192, 128, 64, 32)

SHOWN_MEASUREMENT: Final = "intensity_mean_DNA"
NAMES: Final = tuple(
    f"screen7_{row}{column:02d}_pos{field}_{channel}.tif"
    for row, column, field, channel in product("BCDEFG", range(2, 12), (1, 2), ("DAPI", "Actin"))
)
"""Made-up names of files that no layout knows: the pattern builder is for such."""


def wait_until(done: Callable[[], bool], least_s: float = 0.5) -> None:
    """Let the window live until everything that was asked for is shown."""
    started = time.monotonic()
    while time.monotonic() - started < PATIENCE_S:
        QApplication.processEvents()
        time.sleep(0.01)
        if time.monotonic() - started > least_s and done():
            return
    raise SystemExit(f"The window was not done after {PATIENCE_S:.0f} s.")


def settle(session: Session, least_s: float = 0.5) -> None:
    """Let the window live until everything that was asked for is read and shown."""
    wait_until(lambda: session.idle, least_s)


def keep(picture: QPixmap, path: Path) -> Path:
    """Write a picture as a PNG with a palette, of as many colours as the size allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(str(path))
    with Image.open(path) as opened:
        full = opened.convert("RGB")
    for n in N_COLOURS:
        full.quantize(palette=palette_of(full, n), dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            return path
    raise SystemExit(f"{path} is larger than {MOST_BYTES:,} bytes.")


def palette_of(picture: Image.Image, n: int) -> Image.Image:
    """Choose colours: most of them the commonest as they are (the window), the others for all the rest (the images)."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    colours, n_exact = colours[np.argsort(-counts, kind="stable")], n * 3 // 4
    values = colours[:n_exact].ravel().tolist()
    if len(colours) > n_exact:
        each_once = Image.fromarray(colours[n_exact:][None])
        values += (each_once.quantize(n - n_exact).getpalette() or [])[: 3 * (n - n_exact)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(values)
    return palette


def grabbed(viewer: ViewerModel, session: Session) -> QPixmap:
    """Take the whole window as it is."""
    settle(session)
    picture: QPixmap = viewer.window._qt_window.grab()
    return picture


def dock_of(viewer: ViewerModel, name: str) -> tuple[Any, QWidget]:
    """Give a dock and what is in it."""
    dock, widget = viewer.window.add_plugin_dock_widget("cellvote", name)
    dock.raise_()
    return dock, widget


def simulated_plate(folder: Path) -> Path:
    """Simulate 384 wells, and segment and measure them."""
    from cellvote.jobs.measure import measure_study
    from cellvote.jobs.segment import segment_study
    from cellvote.plates.layouts import read_plate
    from cellvote.study import Study
    from cellvote.synthetic import PlateSettings, write_plate

    settings = PlateSettings(
        name="simulated",
        rows=16,
        columns=24,
        fields_per_well=1,
        field_size_px=160,
        cells_per_field=12,
        plate_effects=2.0,  # there shall be something for the position test to find
    )
    plate = write_plate(folder / "plate", settings)
    study = Study.create(folder / "screen", read_plate(plate.folder), plate.plate_map_path)
    segment_study(study)
    measure_study(study)
    return study.path


def simulated_predictions(folder: Path) -> tuple[Path, str]:
    """Go all the way with the plate of ``cellvote demo``."""
    from cellvote.cli.terminal import ProgressStyle, watching
    from cellvote.demo import run_demo

    study = run_demo(folder / "demo", watch=partial(watching, style=ProgressStyle.none)).study
    return study.path, study.predictions[-1]


def show_plate(study: Path, out: Path) -> list[Path]:
    """Show the plate coloured by a measurement, all of it on the canvas, and its map in the editor."""
    viewer, session, plate = _opened(study)
    plate.colour_by(f"{MEASURED}{SHOWN_MEASUREMENT}")
    settle(session)
    wells = list(session.state.wells_of(session.state.plate))
    session.state.choose_well(session.state.plate, wells[len(wells) // 4 + 5])
    session.state.extend(3, 4)
    made = [keep(grabbed(viewer, session), out / "plate-384.png")]
    session.look.scope = "plate"
    overlay = viewer.canvas.overlays.text
    wait_until(lambda: session.idle and session.state.plate in overlay.text and " of " not in overlay.text, 2.0)
    settle(session, 2.0)  # the last wells are drawn a little later than they are counted
    made.append(keep(grabbed(viewer, session), out / "overview.png"))
    session.look.scope = "field"
    plate.map_button.click()
    editor = plate.map_editor
    if editor is None:
        raise SystemExit("The plate-map editor did not open.")
    editor.resize(1180, 640)
    wait_until(lambda: editor.idle)
    made.append(keep(editor.grab(), out / "plate-map.png"))
    editor.close()
    session.close()
    viewer.close()
    return made


def show_pattern(out: Path) -> list[Path]:
    """Show the pattern builder on names that no layout knows, and one that does not match."""
    viewer = napari.Viewer()  # whose look it takes
    builder = PatternBuilder(
        [("/data/screen7", (*NAMES, "screen7_notes_overview.tif"))], parent=viewer.window._qt_window
    )
    builder.show()
    wait_until(lambda: builder.idle, 1.0)
    builder.resize(980, 760)
    wait_until(lambda: builder.idle)
    made = [keep(builder.grab(), out / "pattern-builder.png")]
    builder.close()
    viewer.close()
    return made


def show_segmenting(study: Path, out: Path, well: str) -> list[Path]:
    """Show the live preview of a field, compared with what was found before by other settings."""
    from cellvote.jobs.segment import segment_study
    from cellvote.study import Study

    opened = Study.open(study)
    key = next((key for key in opened.fields if key.well == well), opened.fields[len(opened.fields) // 2])
    with tempfile.TemporaryDirectory() as folder:
        copy = Study.open(shutil.copytree(study, Path(folder) / study.name))
        segment_study(copy, "watershed", {"threshold_factor": 1.3}, name="strict", wells=f"{key.plate}/{key.well}")
        viewer, session, _ = _opened(copy.path)
        session.state.choose_well(key.plate, key.well)
        _, dock = dock_of(viewer, "Segment")
        wait_until(lambda: dock.form is not None)
        preview = dock.preview
        preview.switch.setChecked(True)
        preview.compare_box.setCurrentIndex(preview.compare_box.findData("strict"))
        wait_until(lambda: session.idle and not preview.live.busy, 2.0)
        viewer.scene.camera.zoom *= 2
        dock.circle.show(dock.diameter()[1])
        made = [keep(grabbed(viewer, session), out / "window-segment.png")]
        session.close()
        viewer.close()
    return made


def show_predictions(study: Path, model: str, out: Path, well: str) -> list[Path]:
    """Show a well with its cells coloured by class, and the vote."""
    viewer, session, plate = _opened(study)
    session.state.model = model
    settle(session)
    session.state.choose_well(session.state.plate, well or _telling_well(session))
    plate.colour_by(VOTE_SHARE)
    dock_of(viewer, "Predict")
    made = [keep(grabbed(viewer, session), out / "window-predict.png")]
    session.close()
    viewer.close()
    return made


def show_training(study: Path, model: str, out: Path) -> list[Path]:
    """Show what a training came to: its curves, and its figures beside what knowing less gives."""
    from cellvote.learning.classifier import load_classifier

    viewer, session, _ = _opened(study)
    session.state.model = model
    session.look.scope = "plate"
    place, dock = dock_of(viewer, "Train")
    viewer.window._qt_window.resizeDocks([place], [TRAIN_HEIGHT_PX], Qt.Orientation.Vertical)
    settle(session, 2.0)
    classifier = load_classifier(session.state.study.model_folder(model))
    dock.results.follow(classifier.folder, classifier.info.inputs.unit, running=False)
    dock.show_account(classifier.folder)
    settle(session, 2.0)
    made = [keep(grabbed(viewer, session), out / "window-train.png")]
    session.close()
    viewer.close()
    return made


def _opened(study: Path) -> tuple[ViewerModel, Session, PlateDock]:
    viewer = open_viewer(study)
    viewer.window.resize(*WINDOW_PX)
    session = session_of(viewer)
    settle(session, 2.0)
    dock, plate = dock_of(viewer, "Plate")
    if not isinstance(plate, PlateDock):
        raise SystemExit("The Plate dock did not open.")
    viewer.window._qt_window.resizeDocks([dock], [PLATE_WIDTH_PX], Qt.Orientation.Horizontal)
    settle(session)
    return viewer, session, plate


def _telling_well(session: Session) -> str:
    """Choose the well whose vote is won most narrowly: there both classes are to be seen."""
    facts = session.state.facts
    if facts is None or facts.predicted is None:
        return session.state.key.well if session.state.key else ""
    classes = facts.predicted.classes
    votes = {well: vote for (plate, well), vote in facts.predicted.wells.items() if plate == session.state.plate}
    return min(votes, key=lambda well: (votes[well].class_name not in classes, votes[well].margin))


def main() -> None:
    """Make what was asked for, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("all", "plate", "segment", "pattern", "train", "predict"))
    parser.add_argument("out", type=Path, help="folder for the PNG files")
    parser.add_argument(
        "--study", type=Path, help="for train and predict: a study with predictions; simulated if not given"
    )
    parser.add_argument("--model", default="", help="the classifier whose predictions are shown; the last if not given")
    parser.add_argument("--well", default="", help="the well to show; the one with the narrowest vote if not given")
    parser.add_argument("--plate", type=Path, help="for plate: a measured study; simulated if not given")
    given = parser.parse_args()
    made: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        if given.what in {"all", "plate"}:
            made += show_plate(given.plate or simulated_plate(Path(folder)), given.out)
        if given.what in {"all", "train", "predict"}:
            study, model = (given.study, given.model) if given.study else simulated_predictions(Path(folder))
            if given.what != "predict":
                made += show_training(study, model, given.out)
            if given.what != "train":
                made += show_predictions(study, model, given.out, given.well)
        if given.what in {"all", "segment"}:
            study = given.study or given.plate or simulated_plate(Path(folder))
            made += show_segmenting(study, given.out, given.well)
        if given.what in {"all", "pattern"}:
            made += show_pattern(given.out)
    for path in made:
        print(path)


if __name__ == "__main__":
    main()
