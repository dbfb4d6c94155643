"""A display that is nowhere to be seen, for one process of the tests."""

import os
import subprocess

SCREEN = "-screen 0 1400x900x24"


class VirtualDisplay:
    """An Xvfb on the first number that is free.

    Attributes
    ----------
    name
        What goes into ``DISPLAY``.
    """

    def __init__(self) -> None:
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), *SCREEN.split(), "-nolisten", "tcp"]
        self._server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as said:
            self.name = f":{said.readline().strip()}"

    def close(self) -> None:
        """End it; windows that are open on it would end their process."""
        self._server.terminate()
        self._server.wait()
