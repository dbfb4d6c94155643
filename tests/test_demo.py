"""The demo goes the whole way, is held against the simulator's truth, and harms nobody's files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import Call, call  # noqa: F401 (a fixture)
from tests.tiny_plates import SETTINGS, contents

from cellvote import demo, synthetic
from cellvote.demo import DemoResult, run_demo
from cellvote.errors import CancelledError, CellVoteError
from cellvote.progress import CancelToken, Progress, Report
from cellvote.study import Study

SMALL = SETTINGS.model_copy(update={"fields_per_well": 1, "cells_per_field": 12})


class Watcher:
    """Keeps what every step told."""

    def __init__(self, cancel_in: str = "") -> None:
        self.told: dict[str, list[Progress]] = {}
        self.cancel_in = cancel_in

    @contextmanager
    def __call__(self, step: str) -> Iterator[tuple[Report, CancelToken]]:
        token = CancelToken()
        if step == self.cancel_in:
            token.cancel()
        yield self.told.setdefault(step, []).append, token


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, Watcher]:
    """Return the demo of a small plate, and what it told on the way."""
    watcher, folder = Watcher(), tmp_path_factory.mktemp("demo") / "new"
    return run_demo(folder, watch=watcher, architecture="logistic", settings=SMALL, workers=1), watcher


def test_the_demo_leaves_a_plate_a_study_and_a_report(watched: tuple[DemoResult, Watcher]) -> None:
    result, _ = watched
    study = Study.open(result.study.path)
    assert sorted(path.name for path in study.path.parent.iterdir()) == [
        "demo.cellvote",
        "made-by-cellvote-demo.txt",
        "plate",
    ]
    assert study.models == study.predictions == ["demo"]
    assert result.report.is_file()
    assert result.report.is_relative_to(study.path)


def test_every_step_tells_its_progress(watched: tuple[DemoResult, Watcher]) -> None:
    _, watcher = watched
    assert list(watcher.told) == ["Simulate", "Segment", "Measure", "Train", "Predict"]
    for told in watcher.told.values():
        assert told[-1].done == told[-1].total


def test_held_out_cells_are_scored_against_what_the_simulator_drew(watched: tuple[DemoResult, Watcher]) -> None:
    result, _ = watched
    truth = result.truth
    assert truth["n"] + truth["unmatched"] == result.evaluation["cell"]["n"]
    assert truth["unmatched"] < 0.2 * truth["n"]
    assert truth["accuracy"] > max(truth["baselines"].values())
    assert result.evaluation["cell"]["accuracy"] > result.evaluation["baselines"]["majority"]["cell"]["accuracy"]


@pytest.mark.parametrize("name", ["thesis.docx", "other.cellvote/study.json", "plate2/image.tif"])
def test_a_folder_that_holds_anything_else_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / "plate").mkdir()
    before = contents(tmp_path)
    with pytest.raises(CellVoteError, match="folder of its own"):
        run_demo(tmp_path, watch=Watcher(), settings=SMALL, workers=1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["plate/Images/r01c01f01p01-ch1sk1fk1fl1.tiff", "plate/mine.tif"])
def test_a_plate_that_no_demo_wrote_is_never_deleted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"a year of work")
    with pytest.raises(CellVoteError):
        run_demo(tmp_path, watch=Watcher(), settings=SMALL, workers=1)
    assert (tmp_path / name).read_bytes() == b"a year of work"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CellVoteError, match="file"):
        run_demo(tmp_path / "file", watch=Watcher(), settings=SMALL, workers=1)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CellVoteError, match="Give the demo another folder"):
        run_demo(tmp_path / "file" / "demo", watch=Watcher(), settings=SMALL, workers=1)


@pytest.mark.parametrize("step", ["Simulate", "Segment"])
def test_a_cancelled_demo_stops_in_its_step(tmp_path: Path, step: str) -> None:
    watcher = Watcher(cancel_in=step)
    settings = SMALL.model_copy(update={"rows": 1, "columns": 2})
    with pytest.raises(CancelledError):
        run_demo(tmp_path / "demo", watch=watcher, settings=settings, workers=1)
    assert list(watcher.told)[-1] == step


def test_the_command_shows_the_evaluation_and_the_truth(
    call: Call,  # noqa: F811
    tmp_path: Path,
    watched: tuple[DemoResult, Watcher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, _ = watched
    monkeypatch.setattr(demo, "run_demo", lambda folder, **_: result)
    said = call("demo", tmp_path / "d")
    assert said.code == 0
    assert "whole wells held out" in said.out
    assert "against the simulator's truth" in said.out
    assert "cellvote view" in said.out


@pytest.mark.slow
def test_the_command_goes_the_whole_way_again_in_its_own_folder_and_says_the_same(
    call: Call,  # noqa: F811
    watched: tuple[DemoResult, Watcher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, _ = watched
    monkeypatch.setattr(synthetic, "PlateSettings", lambda seed: SMALL)
    said = call("demo", result.study.path.parent, "--architecture", "logistic", "--workers", 1, "--json")
    assert said.code == 0
    assert set(said.json) == {*result.evaluation, "truth", "study", "report", "seconds"}
    assert said.json["study"] == str(result.study.path)
    assert said.json["truth"] == result.truth
    assert said.json["well"]["confusion"] == result.evaluation["well"]["confusion"]
