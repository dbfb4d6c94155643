"""The types of the whole program: a test like the others, so that mypy runs beside them on another core."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_types_are_right(repository: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, f"\n{finished.stdout}{finished.stderr}"
