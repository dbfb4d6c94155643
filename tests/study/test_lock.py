"""One run writes a study at a time; a run that was killed does not lock it for ever."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cellvote.errors import BusyError, StorageError
from cellvote.study.lock import LOCK, run_alone

HOLD = """
import sys, time
from pathlib import Path
from cellvote.study.lock import run_alone
with run_alone(Path(sys.argv[1]), "segment"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_which_process_runs_where(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(BusyError) as caught, run_alone(tmp_path, "measure"):
            pass
        assert f"segment is running on it (process {process.pid} on {socket.gethostname()})" in str(caught.value)
        assert f"delete {tmp_path / LOCK}" in str(caught.value)
        os.kill(process.pid, signal.SIGKILL)


def test_the_lock_of_a_killed_run_is_taken_over(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
    assert (tmp_path / LOCK).exists()
    with run_alone(tmp_path, "measure"):
        assert json.loads((tmp_path / LOCK).read_text())["what"] == "measure"
    assert list(tmp_path.iterdir()) == []


def test_a_process_id_that_is_used_again_holds_nothing(tmp_path: Path) -> None:
    started = psutil.Process().create_time() - 1000
    told = {"what": "segment", "pid": os.getpid(), "host": socket.gethostname(), "started": started}
    (tmp_path / LOCK).write_text(json.dumps(told))
    with run_alone(tmp_path, "measure"):
        pass


def test_a_run_on_another_machine_is_not_taken_for_dead(tmp_path: Path) -> None:
    told = {"what": "segment", "pid": 1, "host": "elsewhere", "started": 0.0}
    (tmp_path / LOCK).write_text(json.dumps(told))
    with pytest.raises(BusyError, match="process 1 on elsewhere"), run_alone(tmp_path, "measure"):
        pass
    assert (tmp_path / LOCK).exists()


def test_a_lock_that_was_torn_long_ago_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("")
    os.utime(tmp_path / LOCK, (time.time() - 100, time.time() - 100))
    with run_alone(tmp_path, "measure"):
        pass


def test_the_lock_is_let_go_where_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), run_alone(tmp_path, "measure"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_study_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"), run_alone(tmp_path / "none", "measure"):
        pass
