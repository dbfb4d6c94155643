"""Processes of our own: how many there may be, and what they run."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cellvote.errors import CancelledError
from cellvote.processes import SharedToken, default_workers, new_flag, pool_token


def test_there_is_at_least_one_core() -> None:
    assert default_workers() >= 1


def test_nobody_stops_a_call_that_no_pool_made() -> None:
    assert not pool_token().cancelled


def test_a_token_is_cancelled_here_or_in_another_process() -> None:
    import multiprocessing

    flag = new_flag(multiprocessing.get_context("spawn"))
    one, other = SharedToken(flag), SharedToken(flag)
    one.cancel()
    assert (one.cancelled, other.cancelled) == (True, False)
    flag.value = True
    with pytest.raises(CancelledError):
        other.raise_if_cancelled()


@pytest.mark.slow
def test_a_script_without_a_guard_is_not_run_again_in_each_process(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import os
        from cellvote.processes import WorkerPool

        print("this script runs", __file__, __spec__)
        pool = WorkerPool(2)
        assert pool.submit(os.getpid).result() != os.getpid()
        pool.shutdown()
        print("and ends", __file__, __spec__)
        """)
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"this script runs {script} None", f"and ends {script} None"]
