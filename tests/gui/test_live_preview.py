"""The live preview: only the newest request counts, and no process outlives its window."""

import json
import os
import sys
from pathlib import Path

import pytest

from cellvote.gui import preview_process
from cellvote.gui.live_preview import KILL_AFTER_MS, LivePreview, PreviewAnswer
from cellvote.plates.acquisition import FieldKey

KEY = FieldKey("P1", "A01", 1)

FAKE = """
import json, os, sys, threading, time
def tell(**said): sys.stdout.write(json.dumps(said) + chr(10)); sys.stdout.flush()
stopped = threading.Event()
waiting = []
def listen():
    for line in sys.stdin:
        said = json.loads(line)
        if "warm" in said:
            tell(warmed=said["warm"], id=0)
        elif "cancel" in said:
            stopped.set()
        else:
            stopped.clear()
            waiting.append(said)
    os._exit(0)
threading.Thread(target=listen, daemon=True).start()
tell(ready=True)
while True:
    time.sleep(0.005)
    if not waiting:
        continue
    said = waiting.pop()
    settings = said["settings"]
    if settings.get("import_s"):
        tell(id=said["id"], doing="importing what the method computes with")
        time.sleep(settings["import_s"])
    tell(id=said["id"], doing="finding cells")
    if settings.get("die"):
        sys.exit("no memory left")
    if settings.get("deaf_s"):
        time.sleep(settings["deaf_s"])
    if settings.get("error"):
        tell(id=said["id"], error=settings["error"])
    elif stopped.wait(settings.get("work_s", 0)):
        tell(id=said["id"], cancelled=True)
    else:
        tell(id=said["id"], masks=said["masks"], cells=settings["cells"], seconds=0.1, settings={}, sure=True)
        tell(id=said["id"], done=True, settings={"diameter": 1})
"""
"""Speaks the protocol without computing anything; ``deaf_s`` seconds it is in compiled code, and hears nothing."""


@pytest.fixture
def preview(qtbot):
    made = LivePreview((sys.executable, "-c", FAKE))
    yield made
    made.stop()
    assert made.process_ids == []


@pytest.fixture
def answers(preview: LivePreview) -> list[PreviewAnswer]:
    heard: list[PreviewAnswer] = []
    preview.answered.connect(heard.append)
    return heard


@pytest.fixture
def failures(preview: LivePreview) -> list[str]:
    heard: list[str] = []
    preview.failed.connect(heard.append)
    return heard


def ask(preview: LivePreview, **settings: object) -> None:
    preview.ask(Path("S.cellvote"), KEY, "watershed", settings)


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_of_many_changes_only_the_last_is_computed(preview, answers, qtbot) -> None:
    for cells in range(20):
        ask(preview, cells=cells)
        qtbot.wait(10)
    qtbot.waitUntil(lambda: not preview.busy, timeout=120_000)
    assert [answer.n_cells for answer in answers] == [19]
    assert answers[0].key == KEY


def test_what_is_computed_for_older_settings_is_left_off_and_never_shown(preview, answers, qtbot) -> None:
    preview._kill.setInterval(60_000)  # however busy this machine is
    ask(preview, cells=1, work_s=60)
    qtbot.waitUntil(lambda: preview._process.busy, timeout=120_000)
    process = preview._process.process_id
    ask(preview, cells=2)
    qtbot.waitUntil(lambda: not preview.busy, timeout=120_000)
    assert [answer.n_cells for answer in answers] == [2]
    assert preview._process.process_id == process, "it left off when it was asked to"


def test_a_process_that_does_not_leave_off_is_killed_and_the_spare_takes_over(preview, answers, qtbot) -> None:
    ask(preview, cells=1, deaf_s=60)
    qtbot.waitUntil(lambda: len(preview.process_ids) == 2, timeout=120_000)
    deaf, spare = preview.process_ids
    qtbot.waitUntil(lambda: preview._spare.is_ready, timeout=120_000)
    ask(preview, cells=2)
    qtbot.waitUntil(lambda: bool(answers), timeout=KILL_AFTER_MS + 10_000)
    assert answers[0].n_cells == 2
    assert preview.process_ids[0] == spare
    qtbot.waitUntil(lambda: not is_alive(deaf), timeout=60_000)


def test_a_process_that_imports_is_not_killed_as_another_would_begin_anew(preview, answers, qtbot) -> None:
    ask(preview, cells=1, import_s=3 * KILL_AFTER_MS / 1000)
    qtbot.waitUntil(lambda: preview._process.importing, timeout=120_000)
    process = preview._process.process_id
    for cells in (2, 3):
        ask(preview, cells=cells)
        qtbot.wait(100)
    qtbot.waitUntil(lambda: not preview.busy, timeout=120_000)
    assert [answer.n_cells for answer in answers] == [3]
    assert preview.process_ids == [process]


def test_a_process_is_made_ready_for_the_method_and_for_another_one_that_is_chosen(preview, qtbot, monkeypatch) -> None:
    preview.start("nuclei")
    assert preview._process._process.arguments()[-1] == "nuclei"
    qtbot.waitUntil(lambda: preview._process.is_ready, timeout=120_000)
    warmed: list[dict] = []
    preview._process.said.connect(warmed.append)
    preview.start("cellpose")
    qtbot.waitUntil(lambda: bool(warmed), timeout=120_000)
    assert warmed[0]["warmed"] == preview.method == "cellpose"


def test_a_process_that_nobody_asks_for_anything_is_ended(preview, answers, qtbot) -> None:
    preview._idle.setInterval(100)
    ask(preview, cells=1, work_s=0.5)
    qtbot.waitUntil(lambda: preview._process is None, timeout=120_000)
    assert [answer.n_cells for answer in answers] == [1], "not while it computes"


def test_a_process_that_dies_is_started_anew_and_said_so_once(preview, answers, failures, qtbot) -> None:
    ask(preview, cells=1, die=True)
    qtbot.waitUntil(lambda: bool(failures), timeout=120_000)
    assert failures == ["The preview's process died (no memory left). Change a setting to try again."]
    assert not preview.busy
    ask(preview, cells=2)
    qtbot.waitUntil(lambda: not preview.busy, timeout=120_000)
    assert [answer.n_cells for answer in answers] == [2]
    assert len(failures) == 1


def test_a_process_that_cannot_start_is_not_started_over_and_over(qtbot) -> None:
    preview = LivePreview((sys.executable, "-c", "import sys; sys.exit('cannot import numpy')"))
    heard: list[str] = []
    preview.failed.connect(heard.append)
    ask(preview, cells=1)
    qtbot.waitUntil(lambda: bool(heard), timeout=120_000)
    qtbot.wait(300)
    assert heard == ["The preview's process died (cannot import numpy). Change a setting to try again."]
    assert preview.process_ids == []


def test_an_error_of_the_field_is_told_and_the_process_stays(preview, answers, failures, qtbot) -> None:
    ask(preview, cells=1, error="P1/A01 field 1: the file is truncated.")
    qtbot.waitUntil(lambda: bool(failures), timeout=120_000)
    process = preview._process.process_id
    ask(preview, cells=2)
    qtbot.waitUntil(lambda: bool(answers), timeout=120_000)
    assert failures == ["P1/A01 field 1: the file is truncated."]
    assert preview._process.process_id == process


def test_what_is_forgotten_is_not_answered(preview, answers, qtbot) -> None:
    ask(preview, cells=1, work_s=0.3)
    qtbot.waitUntil(lambda: preview._process.busy, timeout=120_000)
    preview.forget()
    qtbot.waitUntil(lambda: not preview._process.busy, timeout=120_000)
    qtbot.wait(100)
    assert answers == []
    assert not preview.busy


def test_stopping_ends_every_process_and_takes_its_files_away_without_waiting(preview, qtbot, no_waiting) -> None:
    ask(preview, cells=1, deaf_s=60)
    qtbot.waitUntil(lambda: len(preview.process_ids) == 2, timeout=120_000)
    processes, folder = preview.process_ids, Path(preview._process.masks_path(1)).parent
    assert folder.is_dir()
    preview.stop()
    assert preview.process_ids == []
    qtbot.waitUntil(lambda: not any(is_alive(one) for one in processes), timeout=60_000)
    qtbot.waitUntil(lambda: not folder.exists(), timeout=60_000)
    qtbot.waitUntil(lambda: not preview_process._alive)


def test_nothing_is_left_behind_when_the_program_ends(preview, qtbot) -> None:
    ask(preview, cells=1, deaf_s=60)
    qtbot.waitUntil(lambda: len(preview.process_ids) == 2, timeout=120_000)
    processes, folder = preview.process_ids, Path(preview._process.masks_path(1)).parent
    preview_process.end_all()
    assert not any(is_alive(one) for one in processes)
    assert not folder.exists()


def test_the_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """A window that is killed cannot end anything: its pipes close, and that is heard."""
    import subprocess

    with subprocess.Popen(
        [sys.executable, "-m", "cellvote.gui.preview_worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ready": True}
        process.stdin.close()
        assert process.wait(20) == 0
