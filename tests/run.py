"""Run pytest with a display to draw on: ``python tests/run.py [arguments of pytest]``.

Without arguments it runs all tests, in as many processes as there are cores.

On Linux this installs or asks for the libraries that windows need (see ``system_libraries.py``), and
starts a virtual display unless there is a real one. On macOS and Windows it only starts pytest.

Only the standard library is used here, as in the modules that it imports.
"""

import os
import shutil
import socket
import subprocess
import sys

from system_libraries import LIBRARIES, VIRTUAL_DISPLAY, MissingLibrariesError, ensure_packages
from virtual_display import SCREEN

ALL_TESTS = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")
"""Of pytest-xdist. A file stays whole, since its tests share what is slow to make, and files keep the order that
``conftest.py`` gives them. Each process holds PyTorch, hence no more than four."""


def has_local_display() -> bool:
    """Say whether an X server of this machine answers at ``DISPLAY``.

    One at the far end of a network does not count: its OpenGL is too old and too slow for napari.
    """
    name = os.environ.get("DISPLAY", "")
    host, colon, number = name.rpartition(":")
    if host not in {"", "unix"} or not colon:
        return False
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(5)
        try:
            server.connect(f"/tmp/.X11-unix/X{number.partition('.')[0]}")  # noqa: S108 (where X11 puts it)
        except OSError:
            return False
    return True


def prefix() -> list[str]:
    """Return what goes before the command so that it has a display.

    Raises
    ------
    MissingLibrariesError
        Where there is none and none can be made.
    """
    if sys.platform != "linux":
        return []
    if has_local_display():
        ensure_packages(LIBRARIES)
        return []
    ensure_packages((*LIBRARIES, *VIRTUAL_DISPLAY))
    if shutil.which("xvfb-run") is None:
        raise MissingLibrariesError("there is no display: install Xvfb with xvfb-run, or work at a desktop.")
    return ["xvfb-run", "--auto-servernum", f"--server-args={SCREEN}"]


if __name__ == "__main__":
    try:
        command = [*prefix(), sys.executable, "-m", "pytest", *(sys.argv[1:] or ALL_TESTS)]
    except MissingLibrariesError as error:
        sys.exit(f"tests/run.py: {error}")
    sys.exit(subprocess.run(command, check=False).returncode)
