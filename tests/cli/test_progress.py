"""Progress and cancelling, as the window and a person use them."""

import io
import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from tests.cli.conftest import Call

from cellvote.study import Study
from cellvote.study.ledger import Ledger


def test_progress_as_json_is_a_line_for_each_field(
    call: Call, new_study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    said = call("segment", new_study.path, "--workers", 1, "--progress", "json", "--json")
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
        said = call("segment", new_study.path, "--workers", 1, "--progress", "json")
    assert said.code == 130
    assert said.out == ""
    assert "Run the same command again to go on" in json.loads(said.err.splitlines()[-1])["error"]
    done = len(Ledger(new_study.segmentation_folder("watershed") / "fields.parquet").done())
    assert done < 32
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    again = call("segment", new_study.path, "--workers", 1, "--json")
    assert again.code == 0
    assert again.json["fields"] == 32


@pytest.mark.parametrize("style", ["none", "auto"])
def test_without_a_terminal_nothing_but_the_result_is_printed(call: Call, new_study: Study, style: str) -> None:
    said = call("segment", new_study.path, "--workers", 1, "--wells", "A01", "--progress", style, "--json")
    assert said.code == 0
    assert said.err == ""


def test_a_bar_leaves_standard_output_to_the_result(call: Call, new_study: Study) -> None:
    said = call("segment", new_study.path, "--workers", 1, "--wells", "A01", "--progress", "bar", "--json")
    assert said.json["fields"] == 2
    assert "Segment" in said.err


def test_ctrl_c_lets_the_field_at_work_finish_and_ends_with_130(new_study: Study) -> None:
    command = [sys.executable, "-m", "cellvote", "segment", str(new_study.path), "--workers", "1", "--progress", "json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = json.loads(process.stderr.readline())
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read().splitlines()
    assert first["done"] == 1
    assert process.returncode == 130
    assert "Run the same command again" in json.loads(rest[-1])["error"]
    done = len(Ledger(new_study.segmentation_folder("watershed") / "fields.parquet").done())
    assert done == len(rest)
    assert done < 32


def test_the_command_line_can_be_called_from_any_thread(call: Call, new_study: Study) -> None:
    codes: list[int] = []
    arguments = ("segment", new_study.path, "--workers", 1, "--wells", "A01", "--json")
    thread = threading.Thread(target=lambda: codes.append(call(*arguments).code))
    thread.start()
    thread.join()
    assert codes == [0]
