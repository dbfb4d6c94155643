"""Progress and cancelling, as the window and a person use them."""

import io
import json
import os
import signal
import sys
import threading

import pytest
from tests.cli.conftest import Call

from cellvote.cli import terminal
from cellvote.progress import Progress
from cellvote.study import Study
from cellvote.study.ledger import Ledger


def test_progress_as_json_is_a_line_for_each_field(
    call: Call, new_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    said = call("segment", new_study.path, "--method", "watershed", "--workers", 1, "--progress", "json", "--json")
    assert said.code == 0
    assert said.json["fields"] == 32
    lines = [json.loads(line) for line in said.err.splitlines()]
    assert [line["done"] for line in lines] == list(range(1, 33))
    assert all(set(line) == {"done", "total", "where", "message"} for line in lines)
    assert lines[0]["where"] == "P-1/A01 field 1"


def test_cancel_on_standard_input_stops_with_130_and_the_next_run_goes_on(
    call: Call, new_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    with os.fdopen(read) as standard_input, os.fdopen(write, "w") as asking:
        monkeypatch.setattr(sys, "stdin", standard_input)
        asking.write("hello\ncancel\n")
        asking.flush()
        said = call("segment", new_study.path, "--method", "watershed", "--workers", 1, "--progress", "json")
    assert said.code == 130
    assert said.out == ""
    assert "Run the same command again to go on" in json.loads(said.err.splitlines()[-1])["error"]
    done = len(Ledger(new_study.segmentation_folder("watershed") / "fields.parquet").done())
    assert done < 32
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    again = call("segment", new_study.path, "--method", "watershed", "--workers", 1, "--json")
    assert again.code == 0
    assert again.json["fields"] == 32


@pytest.mark.parametrize("style", ["none", "auto"])
def test_without_a_terminal_nothing_but_the_result_is_printed(call: Call, new_study: Study, style: str) -> None:
    said = call(
        "segment",
        new_study.path,
        "--method",
        "watershed",
        "--workers",
        1,
        "--wells",
        "A01",
        "--progress",
        style,
        "--json",
    )
    assert said.code == 0
    assert said.err == ""


def test_a_bar_leaves_standard_output_to_the_result(call: Call, new_study: Study) -> None:
    said = call(
        "segment",
        new_study.path,
        "--method",
        "watershed",
        "--workers",
        1,
        "--wells",
        "A01",
        "--progress",
        "bar",
        "--json",
    )
    assert said.json["fields"] == 2
    assert "Segment" in said.err


def test_ctrl_c_lets_the_field_at_work_finish_and_ends_with_130(
    call: Call, new_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Progress] = []

    def press_ctrl_c(progress: Progress) -> None:
        told.append(progress)
        if progress.done == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    monkeypatch.setattr(terminal, "_report_json", press_ctrl_c)
    before = signal.getsignal(signal.SIGINT)
    said = call("segment", new_study.path, "--method", "watershed", "--workers", 1, "--progress", "json")
    assert said.code == 130
    assert "Run the same command again" in json.loads(said.err)["error"]
    assert len(Ledger(new_study.segmentation_folder("watershed") / "fields.parquet").done()) == len(told) == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once(call: Call, new_study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def press_twice(progress: Progress) -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    monkeypatch.setattr(terminal, "_report_json", press_twice)
    said = call("segment", new_study.path, "--method", "watershed", "--workers", 1, "--progress", "json")
    assert said.code == 130
    assert call("segment", new_study.path, "--method", "watershed", "--workers", 1, "--wells", "A01").code == 0


def test_the_command_line_can_be_called_from_any_thread(call: Call, new_study: Study) -> None:
    codes: list[int] = []
    arguments = ("segment", new_study.path, "--method", "watershed", "--workers", 1, "--wells", "A01", "--json")
    thread = threading.Thread(target=lambda: codes.append(call(*arguments).code))
    thread.start()
    thread.join()
    assert codes == [0]
