"""What Cellpose brings along leaves the window alone."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, os, sys
before = {name: value for name, value in os.environ.items() if name.startswith("QT_")}
import cv2
after = {name: value for name, value in os.environ.items() if name.startswith("QT_")}
print(json.dumps([before == after, cv2.__file__, [name for name in sys.modules if "qt" in name.lower()]]))
"""


def test_opencv_brings_no_qt_of_its_own() -> None:
    finished = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    unchanged, path, modules = json.loads(finished.stdout)
    assert unchanged  # opencv-python, unlike the headless one, points Qt to plugins of its own
    assert not (Path(path).parent / "qt").exists()
    assert modules == []
