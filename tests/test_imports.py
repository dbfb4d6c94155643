"""The core can be imported without a window and without a deep-learning library."""

import json
import subprocess
import sys

HEAVY = ["PyQt6", "PySide6", "cellpose", "napari", "numba", "qtpy", "superqt", "timm", "torch"]

ROOMS_OF_THEIR_OWN = [
    "cellvote.compiling",
    "cellvote.gui",
    "cellvote.learning.networks",
    "cellvote.local_contrast",
    "cellvote.profiling.compiled",
    "cellvote.segmentation.heat",
    "cellvote.segmentation.nuclei.finding",
    "cellvote.segmentation.nuclei.network",
]
"""Windows, networks and compiled loops; whoever needs these imports them inside a function."""

IMPORT_EVERY_CORE_MODULE = """
import importlib, json, pkgutil, sys, traceback

heavy, rooms = (set(json.loads(argument)) for argument in sys.argv[1:])
chains = {}

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in heavy and name not in chains:
            frames = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_stack(None)]
            chain = [frame for frame in reversed(frames) if frame.partition(".")[0] == "cellvote"]
            chains[name] = " > ".join(dict.fromkeys(chain))

sys.meta_path.insert(0, Watch())

def import_core(name):
    module = importlib.import_module(name)
    for found in pkgutil.iter_modules(getattr(module, "__path__", ()), name + "."):
        if found.name not in rooms and not found.name.endswith(".__main__"):
            import_core(found.name)

import_core("cellvote")
sys.modules["cellvote.learning.skops_io"].skops_io()  # what a forest is read with
names = sorted(name for name in sys.modules if name.partition(".")[0] == "cellvote")
loaded = sorted(heavy & set(sys.modules))
print(json.dumps({"names": names, "heavy": {name: chains.get(name, "?") for name in loaded}}))
"""


def run_python(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_importing_cellvote_imports_nothing_heavy() -> None:
    loaded = json.loads(run_python("import json, sys, cellvote; print(json.dumps(sorted(sys.modules)))"))
    assert not set(HEAVY) & set(loaded)


def test_no_core_module_imports_anything_heavy() -> None:
    found = json.loads(run_python(IMPORT_EVERY_CORE_MODULE, json.dumps(HEAVY), json.dumps(ROOMS_OF_THEIR_OWN)))
    assert found["heavy"] == {}, "import it inside the function that needs it"
    assert "cellvote.errors" in found["names"]
    assert not [name for name in found["names"] if name.startswith(tuple(ROOMS_OF_THEIR_OWN))]
