"""What the preview process computes: the cells that a run would find, first with what is known, then for certain."""

import io
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellvote.errors import SettingsError
from cellvote.gui import preview_worker
from cellvote.gui.preview_worker import Inbox, Previewer, Request, _SupersededError, write_masks
from cellvote.jobs.segment_settings import resolve_settings
from cellvote.segmentation import make_segmenter
from cellvote.study import Study


class Heard(list[dict[str, Any]]):
    """What was answered."""

    def masks(self) -> list[np.ndarray]:
        return [np.load(said["masks"]) for said in self if "masks" in said]

    @property
    def done(self) -> dict[str, Any]:
        return next(said["settings"] for said in self if "done" in said)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def previewer(heard: Heard) -> Previewer:
    return Previewer(heard.append)


def request(study: Study, tmp_path: Path, number: int = 1, well: int = 0, **asked: Any) -> Request:
    return Request(number, study.path, study.fields[well], "watershed", asked, str(tmp_path / str(number)))


def test_the_preview_ends_with_what_a_run_finds(previewer, heard, new_study: Study, tmp_path: Path) -> None:
    previewer.answer(request(new_study, tmp_path))
    chosen = resolve_settings(new_study, "watershed", {})["settings"]
    assert heard.done == chosen
    run = make_segmenter("watershed", chosen, new_study.channels, []).segment(new_study.read_field(new_study.fields[0]))
    assert np.array_equal(heard.masks()[-1], run.label_image)
    last = [said for said in heard if "masks" in said][-1]
    assert last["cells"] == run.n_cells
    assert last["settings"] == chosen
    assert new_study.segmentations == []


def test_the_first_answer_comes_before_the_plate_is_measured(
    previewer, heard, new_study: Study, tmp_path: Path
) -> None:
    previewer.answer(request(new_study, tmp_path))
    kinds = [said.get("doing") or ("masks" if "masks" in said else "done") for said in heard]
    assert kinds[:3] == ["finding cells", "masks", "measuring automatic settings on the plate"]
    assert heard[1]["sure"] is False


def test_automatic_settings_are_measured_once(previewer, heard, new_study: Study, tmp_path: Path, monkeypatch) -> None:
    previewer.answer(request(new_study, tmp_path, threshold_factor=0.9))
    heard.clear()
    monkeypatch.setattr(preview_worker, "sample_fields", None)  # would be called
    previewer.answer(request(new_study, tmp_path, 2, well=1, threshold_factor=0.9))
    assert [said["sure"] for said in heard if "masks" in said] == [True]


def test_measured_numbers_are_taken_over_while_only_numbers_change(previewer, new_study: Study, tmp_path: Path) -> None:
    before = request(new_study, tmp_path, threshold_factor=0.9)
    measured = {"nucleus_diameter_px": 20.0, "threshold_factor": 0.9, "nuclei_channel": "DNA"}
    previewer._remember(before, measured)
    likely = previewer._likely(request(new_study, tmp_path, threshold_factor=1.1))
    assert likely == {"nucleus_diameter_px": 20.0, "nuclei_channel": "DNA", "threshold_factor": 1.1}
    other = request(new_study, tmp_path, threshold_factor=0.9, nuclei_channel="Actin")
    assert previewer._likely(other) == other.asked, "another channel has other nuclei"


def test_masks_of_the_request_before_are_taken_away(previewer, new_study: Study, tmp_path: Path) -> None:
    previewer.answer(request(new_study, tmp_path, 1))
    previewer.answer(request(new_study, tmp_path, 2))
    assert {path.name.partition("-")[0].partition(".")[0] for path in tmp_path.glob("*.npy")} == {"2"}


def test_settings_that_are_not_allowed_are_an_error(previewer, new_study: Study, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nonsense"):
        previewer.answer(request(new_study, tmp_path, nonsense=1))


def test_masks_are_stored_in_as_few_bytes_as_they_need(tmp_path: Path) -> None:
    for largest, dtype in ((9, np.uint16), (70_000, np.int32)):
        masks = np.array([[0, largest]], np.int32)
        write_masks(tmp_path / "m.npy", masks)
        read = np.load(tmp_path / "m.npy")
        assert read.dtype == dtype
        assert np.array_equal(read, masks)


def test_a_request_survives_the_way_to_the_process(new_study: Study, tmp_path: Path) -> None:
    sent = request(new_study, tmp_path, 7, threshold_factor=0.9, cells_channel="none")
    assert Request.from_line(json.loads(sent.to_line())) == sent


class Pipe(io.TextIOBase):
    """Lines that come when they are sent, and an input that never ends."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._sent = threading.Semaphore(0)

    def send(self, line: str) -> None:
        self._lines.append(line)
        self._sent.release()

    def __iter__(self):
        return self

    def __next__(self) -> str:
        self._sent.acquire()
        return self._lines.pop(0)


@pytest.fixture
def pipe(monkeypatch) -> Pipe:
    import signal

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(os, "_exit", lambda code: None)
    yield Pipe()
    signal.signal(signal.SIGINT, before)


def wait_for(pipe: Pipe, inbox: Inbox, n: int) -> None:
    end = time.monotonic() + 10
    while inbox._heard < n:
        assert time.monotonic() < end
        time.sleep(0.002)


def compute_for(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


def test_a_newer_request_stops_what_is_computed(pipe: Pipe, new_study: Study, tmp_path: Path) -> None:
    inbox = Inbox(pipe)
    pipe.send(request(new_study, tmp_path, 1).to_line())
    taken, heard = inbox.take()
    assert taken.number == 1
    inbox.begin(heard)
    started = time.monotonic()
    pipe.send(request(new_study, tmp_path, 2).to_line())
    with pytest.raises(_SupersededError):
        compute_for(20)
    assert time.monotonic() - started < 5
    assert inbox.take()[0].number == 2


def test_a_method_is_made_ready_only_where_nothing_is_asked_for(pipe: Pipe, new_study: Study, tmp_path: Path) -> None:
    inbox = Inbox(pipe)
    pipe.send(json.dumps({"warm": "nuclei"}))
    assert inbox.take()[0] == "nuclei"
    pipe.send(json.dumps({"warm": "cellpose"}))
    pipe.send(request(new_study, tmp_path, 1).to_line())
    wait_for(pipe, inbox, 1)
    assert inbox.take()[0].number == 1


def test_importing_a_library_is_never_left_off_half_way(pipe: Pipe, new_study: Study, tmp_path: Path) -> None:
    inbox = Inbox(pipe)
    pipe.send(request(new_study, tmp_path, 1).to_line())
    _, heard = inbox.take()
    pipe.send(request(new_study, tmp_path, 2).to_line())
    wait_for(pipe, inbox, 2)
    compute_for(0.2)  # as `load_method` does: before `begin`
    with pytest.raises(_SupersededError):
        inbox.begin(heard)


def test_of_requests_that_came_meanwhile_only_the_last_is_taken(pipe: Pipe, new_study: Study, tmp_path: Path) -> None:
    inbox = Inbox(pipe)
    for number in (1, 2, 3):
        pipe.send(request(new_study, tmp_path, number).to_line())
    wait_for(pipe, inbox, 3)
    assert inbox.take()[0].number == 3


def test_a_request_that_was_cancelled_before_it_began_is_not_computed(
    pipe: Pipe, new_study: Study, tmp_path: Path
) -> None:
    inbox = Inbox(pipe)
    pipe.send(request(new_study, tmp_path, 1).to_line())
    _, heard = inbox.take()
    pipe.send('{"cancel": true}')
    wait_for(pipe, inbox, 2)
    with pytest.raises(_SupersededError):
        inbox.begin(heard)


def test_a_request_that_was_cancelled_before_it_was_taken_is_answered_all_the_same(
    pipe: Pipe, new_study: Study, tmp_path: Path
) -> None:
    inbox = Inbox(pipe)
    pipe.send(request(new_study, tmp_path, 1).to_line())
    pipe.send('{"cancel": true}')
    wait_for(pipe, inbox, 2)
    taken, heard = inbox.take()
    assert taken.number == 1, "else the window waits for it until it kills the process"
    with pytest.raises(_SupersededError):
        inbox.begin(heard)
