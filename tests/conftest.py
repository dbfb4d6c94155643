"""What every test shares: a world of its own, the real data, and honest skips.

Everything that the tests ask of the environment is set here and nowhere else, so that plain ``pytest``
does the same as tox does.
"""

import gc
import os
import shutil
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from tests.virtual_display import VirtualDisplay

if TYPE_CHECKING:
    from cellvote.study import Study
    from cellvote.synthetic import SimulatedPlate

WINDOW_FIXTURES = {"make_napari_viewer", "qapp", "qtbot"}

# Read by napari, Qt and Hugging Face as they are imported, hence set before any test module is.
os.environ.update(
    HF_HUB_OFFLINE="1",  # no test reaches for the network
    MPLBACKEND="agg",  # a figure outside a dock never opens a window
    NAPARI_CONFIG="",  # in no file: never the user's own settings, and not written at every change
    NAPARI_STRICT_QT="1",  # a widget left behind fails its test
    OMP_NUM_THREADS="1",  # torch: on busy cores, threads that wait for each other take a hundred times as long
    QT_API="pyqt6",
)

# No deadline: machines are noisy. The same examples on every run where a red build would puzzle somebody else.
hypothesis.settings.register_profile("cellvote", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("cellvote")

FIRST = ("test_types.py", "profiling/test_compiled.py", "plates")
"""What the processes of pytest-xdist begin with, in tests/. One checks types. One compiles all loops over pixels, and
keeps them for the others, which would compile the same at the same time if they came to measure meanwhile."""


_own_display: "VirtualDisplay | None" = None


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of pytest-xdist a display of its own: windows that share one take the focus of each other."""
    global _own_display
    if hasattr(config, "workerinput") and os.environ.get("DISPLAY") and shutil.which("Xvfb"):
        _own_display = VirtualDisplay()
        os.environ["DISPLAY"] = _own_display.name


def pytest_unconfigure() -> None:
    """Remove the display."""
    if _own_display is not None:
        _own_display.close()


def _real_data_folder(config: pytest.Config) -> Path:
    named = os.environ.get("CELLVOTE_TEST_DATA")
    return Path(named) if named else config.rootpath.parent / "shared" / "data"


def _has_cuda() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns where the driver is older than itself: no CUDA, then
        import torch

        return torch.cuda.is_available()


@pytest.hookimpl(tryfirst=True)  # before -m picks from the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they use; skip those that need what is not here, and say what that is."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & WINDOW_FIXTURES:
            item.add_marker("gui")
        if "real_data" in fixtures:
            item.add_marker("realdata")
    # Tests of the window come last: torch's compiler and Mesa's OpenGL each bring an LLVM along, and Python dies where
    # OpenGL comes first. (In the program they never meet: what the window starts runs in processes of its own.)
    # So do the files that hold them, since a process of pytest-xdist is given whole files.
    # Those with many are not left to the end, where the other processes would wait for them.
    windows = Counter(item.path for item in items if item.get_closest_marker("gui"))
    items.sort(
        key=lambda item: (
            item.path in windows,
            item.get_closest_marker("gui") is not None,
            -windows[item.path],
            _place(item.nodeid.removeprefix("tests/")),
        )
    )
    _skip_without_real_data(config, items)
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not _has_cuda():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="torch finds no CUDA device"))


def _place(name: str) -> int:
    """Say how early a test comes."""
    return next((i for i, first in enumerate(FIRST) if name.startswith(first)), len(FIRST))


def pytest_collection_finish() -> None:
    """Leave what is imported out of every search for garbage: among 700,000 objects each takes half a second.

    Napari makes one whenever it takes out a layer.
    """
    gc.collect()
    gc.freeze()


def _skip_without_real_data(config: pytest.Config, items: list[pytest.Item]) -> None:
    folder = _real_data_folder(config)
    if folder.is_dir():
        return
    if "CELLVOTE_TEST_DATA" in os.environ:
        raise pytest.UsageError(f"CELLVOTE_TEST_DATA is {folder}, and there is no such folder.")
    reason = f"no real data at {folder}; set CELLVOTE_TEST_DATA to where it is"
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(tryfirst=True)  # before a fixture starts Qt, which ends the process if it has no display
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail tests that open windows where there is no display: skipping them would hide half of the plugin."""
    if sys.platform != "linux" or not item.get_closest_marker("gui"):
        return
    if not {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"} & set(os.environ):
        pytest.fail("this opens a window and there is no display; run: python tests/run.py", pytrace=False)


@pytest.fixture(scope="session")
def real_data(pytestconfig: pytest.Config) -> Path:
    """Return the folder of the real plates: ``$CELLVOTE_TEST_DATA``, or ``../shared/data``."""
    return _real_data_folder(pytestconfig)


@pytest.fixture(scope="session")
def repository(pytestconfig: pytest.Config) -> Path:
    """Return the top folder of the repository."""
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def tiny_plate(tmp_path_factory: pytest.TempPathFactory) -> "SimulatedPlate":
    """Return a simulated plate on disk (see `tests.tiny_plates`); only to be read."""
    from tests.tiny_plates import SETTINGS

    from cellvote.synthetic import write_plate

    return write_plate(tmp_path_factory.mktemp("plate"), SETTINGS)


@pytest.fixture(scope="session")
def finished_study(tiny_plate: "SimulatedPlate", tmp_path_factory: pytest.TempPathFactory) -> "Study":
    """Return a study of the tiny plate, segmented, measured, trained on and predicted; only to be read."""
    from tests.tiny_plates import predict_plate

    return predict_plate(tmp_path_factory.mktemp("studies") / "finished", tiny_plate)


@pytest.fixture
def study(finished_study: "Study", tmp_path: Path) -> "Study":
    """Return a copy of the finished study, to be changed at will; its images are those of the tiny plate."""
    from cellvote.study import Study

    return Study.open(shutil.copytree(finished_study.path, tmp_path / "copy.cellvote"))


@pytest.fixture
def new_study(tiny_plate: "SimulatedPlate", tmp_path: Path) -> "Study":
    """Return a study of the tiny plate in which nothing has been done yet."""
    from tests.tiny_plates import create_study

    return create_study(tmp_path / "new", tiny_plate)
