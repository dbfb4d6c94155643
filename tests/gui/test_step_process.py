"""Steps in processes of their own: progress, results, cancel, and nothing left behind."""

import json
import os
import sys
from pathlib import Path

import pytest

from cellvote.gui import step_process
from cellvote.gui.state import State
from cellvote.gui.step_process import StepProcess, StepResult
from cellvote.gui.step_runner import Step, StepRunner, cellvote_step
from cellvote.progress import Progress
from cellvote.study import Study

CHILD = """
import json, os, sys, threading, time
kind = sys.argv[1]
cancelled = threading.Event()
def listen():
    for line in sys.stdin:
        if line.strip() == "cancel":
            cancelled.set()
threading.Thread(target=listen, daemon=True).start()
def tell(**values):
    sys.stderr.write(json.dumps(values) + "\\n"); sys.stderr.flush()
tell(done=0, total=3, where="", message="")
if kind == "waits":
    if cancelled.wait(60):
        tell(error="cancelled"); sys.exit(130)
elif kind == "stubborn":
    time.sleep(60)
elif kind == "bad":
    tell(error="P1/B07: the file is truncated. Copy it again."); sys.exit(2)
elif kind == "plain":
    sys.stderr.write("Error: no such study.\\n"); sys.exit(2)
elif kind == "dies":
    sys.stderr.write("Traceback …\\nMemoryError\\n"); sys.stderr.flush(); os._exit(9)
else:
    tell(done=3, total=3, where="P1/B07 field 3", message="1,240 cells · 310 cells/s")
    failed = [{"plate": "P1", "well": "B07", "field": 3, "error": "broken ✗"}] if kind == "some" else []
    print(json.dumps({"fields": 3, "failed": failed, "cells": 1240, "µ": "×"}, ensure_ascii=False))
    sys.exit(1 if failed else 0)
"""


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, str]:
    script = tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    return sys.executable, str(script)


def outcome(qtbot, step: StepProcess) -> tuple[StepResult, list[Progress]]:
    results: list[StepResult] = []
    told: list[Progress] = []
    step.finished.connect(results.append)
    step.progressed.connect(told.append)
    if not step.running:
        step.start()
    qtbot.waitUntil(lambda: bool(results), timeout=120_000)
    return results[0], told


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_step_tells_its_progress_and_its_result(qtbot, command) -> None:
    result, told = outcome(qtbot, StepProcess(["done"], command))
    assert result.outcome == "done"
    assert result.answer == {"fields": 3, "failed": [], "cells": 1240, "µ": "×"}
    assert told == [Progress(0, 3), Progress(3, 3, "P1/B07 field 3", "1,240 cells · 310 cells/s")]


def test_failed_fields_are_listed(qtbot, command) -> None:
    result, _ = outcome(qtbot, StepProcess(["some"], command))
    assert result.outcome == "some failed"
    assert result.failed_fields == [{"plate": "P1", "well": "B07", "field": 3, "error": "broken ✗"}]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("bad", "P1/B07: the file is truncated. Copy it again."), ("plain", "no such study.")],
)
def test_bad_input_is_one_sentence(qtbot, command, kind: str, sentence: str) -> None:
    result, _ = outcome(qtbot, StepProcess([kind], command))
    assert (result.outcome, result.message) == ("bad input", sentence)


def test_a_step_that_dies_says_its_last_words(qtbot, command) -> None:
    result, _ = outcome(qtbot, StepProcess(["dies"], command))
    assert result.outcome == "died"
    assert "MemoryError" in result.message


def test_a_command_that_is_not_there_is_said(qtbot) -> None:
    result, _ = outcome(qtbot, StepProcess([], ["/nowhere/at/all"]))
    assert result.outcome == "died"
    assert "/nowhere/at/all could not be started" in result.message


def test_a_step_that_is_cancelled_says_that_it_can_go_on(qtbot, command) -> None:
    step = StepProcess(["waits"], command)
    with qtbot.waitCallback() as called:
        step.progressed.connect(lambda _progress: called())
        step.start()
    step.cancel()
    result, _ = outcome(qtbot, step)
    assert result.outcome == "cancelled"
    assert "go on" in result.message


def test_a_step_that_does_not_listen_is_killed(qtbot, command, monkeypatch) -> None:
    monkeypatch.setattr("cellvote.gui.step_process._KILL_AFTER_MS", 100)
    step = StepProcess(["stubborn"], command)
    step.start()
    qtbot.waitUntil(lambda: step.running)
    step.cancel()
    result, _ = outcome(qtbot, step)
    assert result.outcome == "cancelled"


@pytest.mark.parametrize("kind", ["waits", "stubborn"])
def test_stopping_waits_for_nothing_and_leaves_no_process_behind(qtbot, command, no_waiting, kind: str) -> None:
    step = StepProcess([kind], command)
    told: list[StepResult] = []
    step.finished.connect(told.append)
    step.start()
    qtbot.waitUntil(lambda: step.running)
    process_id = step.process_id
    step.stop(patience_ms=300)
    qtbot.waitUntil(lambda: not is_alive(process_id), timeout=60_000)
    qtbot.waitUntil(lambda: step not in step_process._alive)
    assert told == [], "the window is closing: nobody listens any more"


@pytest.mark.parametrize("kind", ["waits", "stubborn"])
def test_no_step_outlives_the_program(qtbot, command, kind: str) -> None:
    step = StepProcess([kind], command)
    step.start()
    qtbot.waitUntil(lambda: step.running)
    process_id = step.process_id
    step.stop(patience_ms=60_000)
    step.wait(patience_ms=300)
    assert not is_alive(process_id)


def run_all(qtbot, runner: StepRunner, *steps: Step) -> list[tuple[str, str]]:
    ended: list[tuple[str, str]] = []

    def _on_finished(step: Step, result: StepResult) -> None:
        ended.append((step.title, result.outcome))

    runner.finished.connect(_on_finished)
    runner.run(*steps)
    qtbot.waitUntil(lambda: runner.step is None, timeout=120_000)
    return ended


def test_steps_run_one_after_the_other(qtbot, command) -> None:
    state = State()
    running: list[str] = []
    state.events.running.connect(running.append)
    steps = [Step("one", ("some",), command=command), Step("two", ("done",), command=command)]
    assert run_all(qtbot, StepRunner(state), *steps) == [("one", "some failed"), ("two", "done")]
    assert running == ["one", "two", ""]


def test_a_step_that_fails_ends_the_row(qtbot, command) -> None:
    steps = [Step("one", ("bad",), command=command), Step("two", ("done",), command=command)]
    assert run_all(qtbot, StepRunner(State()), *steps) == [("one", "bad input")]


def test_two_steps_never_write_at_once(qtbot, command) -> None:
    runner = StepRunner(State())
    runner.run(Step("one", ("waits",), command=command))
    with pytest.raises(RuntimeError, match="one is still running"):
        runner.run(Step("two", ("done",), command=command))
    runner.stop()
    assert runner.step is None


def test_results_are_looked_at_only_where_they_are_of_the_open_study(
    qtbot, command, small_study: Study, bare_study: Study
) -> None:
    state = State()
    state.show_study(small_study)
    elsewhere = Step("one", ("done", str(bare_study.path)), command=command, segmentation="watershed")
    run_all(qtbot, StepRunner(state), elsewhere)
    assert state.revision == 0
    here = Step("two", ("done", str(small_study.path)), command=command, segmentation="watershed")
    run_all(qtbot, StepRunner(state), here)
    assert state.revision == 1


def test_the_real_command_line_keeps_to_the_protocol(qtbot, bare_study: Study) -> None:
    path = str(bare_study.path)
    step = cellvote_step("Segmenting", "segment", path, "--set", "nucleus_diameter_px=8", "--workers", "1")
    result, told = outcome(qtbot, StepProcess(step.arguments))
    assert result.outcome == "done", result.message
    assert result.answer["fields"] == len(bare_study.fields)
    assert told[-1].done == told[-1].total == len(bare_study.fields)
    again, _ = outcome(qtbot, StepProcess(cellvote_step("Measuring", "measure", path + "-not").arguments))
    assert again.outcome == "bad input"
    assert "there is no study here" in again.message
    json.dumps(result.answer)
