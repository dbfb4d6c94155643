"""Compiled loops run where no machine code can be kept, and the same from several threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from cellvote.profiling import measure_cells
from cellvote.profiling.settings import SET_NAMES

MODULE = """
from cellvote.compiling import compiled

@compiled
def double(x):
    return 2 * x

print(double(21))
"""


def run(module: Path, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, module], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_machine_code_is_kept_beside_the_source(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE)
    assert run(module) == "42\n"
    assert list((tmp_path / "__pycache__").glob("module.double*.nbi"))


def test_where_no_machine_code_can_be_kept_it_is_compiled_again(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(MODULE)
    (tmp_path / "__pycache__").write_text("in the way: no folder can be made here, not even by root")
    nowhere = str(module / "cache")
    for _ in range(2):
        assert run(module, HOME=nowhere, XDG_CACHE_HOME=nowhere, NUMBA_CACHE_DIR=nowhere) == "42\n"


def test_several_threads_give_the_same_bits_as_one() -> None:
    random = np.random.default_rng(1)
    image = random.integers(0, 4096, (2, 64, 64)).astype(np.uint16)
    label_image = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((16, 16), int)).astype(np.int32)

    def measure(_: int) -> pd.DataFrame:
        return measure_cells(image, label_image, ["a", "b"], label_image, sets=SET_NAMES)

    with ThreadPoolExecutor(4) as threads:
        tables = list(threads.map(measure, range(8)))
    for table in tables[1:]:
        assert table.equals(tables[0])
