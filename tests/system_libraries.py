"""What Qt and OpenGL need of the system; ``python tests/system_libraries.py`` installs what is missing.

Wheels bring Qt but not the libraries of the system that Qt loads when the first window opens, and a
machine without a screen needs a virtual one. On Debian and its descendants the missing packages are
installed where the caller is root; otherwise the line that installs them is printed. Elsewhere nothing
is done: macOS and Windows bring all of it.

Only the standard library is used here: this runs before anything can be taken for granted.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence

LIBRARIES = (
    "libdbus-1-3",
    "libegl1",
    "libfontconfig1",
    "libgl1",
    "libgl1-mesa-dri",
    "libglib2.0-0",
    "libopengl0",
    "libxcb-cursor0",
    "libxcb-icccm4",
    "libxcb-image0",
    "libxcb-keysyms1",
    "libxcb-randr0",
    "libxcb-render-util0",
    "libxcb-shape0",
    "libxcb-xinerama0",
    "libxkbcommon-x11-0",
)
"""What Qt 6 and vispy load to draw in a window."""

VIRTUAL_DISPLAY = ("xauth", "xvfb")
"""What draws without a screen."""

_SUCCESSOR = "t64"
"""Ends the names of some of these from Debian 13 and Ubuntu 24.04 on, where time has 64 bits."""


class MissingLibrariesError(RuntimeError):
    """Packages of the system are missing, and only the user can install them."""


def missing_packages(packages: Sequence[str]) -> list[str]:
    """Name the packages that are not installed; none where the system is not Debian's kin."""
    if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
        return []
    names = [name for package in packages for name in (package, package + _SUCCESSOR)]
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", *names]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)  # 1 where it knows not all
    installed = {line.split()[1] for line in answer.stdout.splitlines() if line.startswith("installed ")}
    return [package for package in packages if not {package, package + _SUCCESSOR} & installed]


def ensure_packages(packages: Sequence[str]) -> None:
    """Install what is missing of these, where that is possible without asking.

    Raises
    ------
    MissingLibrariesError
        Where something is missing and the caller is not root, or apt fails; with the line to run.
    """
    missing = missing_packages(packages)
    if not missing:
        return
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    by_hand = f"    sudo apt-get update && sudo {shlex.join(install)}"
    if os.geteuid() != 0:
        raise MissingLibrariesError(f"windows cannot open: packages are missing. Run\n\n{by_hand}\n")
    sys.stderr.write(f"Installing what windows need: {' '.join(missing)}\n")
    for command in (["apt-get", "update"], install):
        _run_unattended(command, by_hand)


def _run_unattended(command: Sequence[str], by_hand: str) -> None:
    answer = subprocess.run(
        command,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if answer.returncode:
        sys.stderr.write(answer.stdout)
        raise MissingLibrariesError(f"{shlex.join(command)} failed, see above. Mend that, or run\n\n{by_hand}\n")


if __name__ == "__main__":
    try:
        ensure_packages((*LIBRARIES, *VIRTUAL_DISPLAY))
    except MissingLibrariesError as error:
        sys.exit(f"system libraries: {error}")
