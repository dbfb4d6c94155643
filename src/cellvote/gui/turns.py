"""Does one thing after another in the window's thread, and lets the window answer in between."""

import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from qtpy.QtCore import QTimer

_TURN_S: Final = 0.012
"""A turn begins no further step after this: with what one step takes, the window waits less than 50 ms."""

_PAUSE_MS: Final = 8
"""Long enough for what was changed to be painted, and for the mouse and the keys to be heard."""

Step = Callable[[], None]


class Turns:
    """Steps that wait for their turn; each is short by itself, all together are not."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque()
        self._asked = False

    @property
    def busy(self) -> bool:
        """Whether steps wait."""
        return bool(self._steps)

    def add(self, steps: Iterable[Step]) -> None:
        """Do these after those that wait already; none is done at once."""
        self._steps.extend(steps)
        self._ask(0)

    def forget(self) -> None:
        """Do none of those that wait."""
        self._steps.clear()

    def _ask(self, after_ms: int) -> None:
        if self._asked or not self._steps:
            return
        self._asked = True
        me = weakref.ref(self)

        def _on_turn() -> None:
            turns = me()
            if turns is not None:
                turns._take_turn()  # noqa: SLF001 (our own)

        QTimer.singleShot(after_ms, _on_turn)

    def _take_turn(self) -> None:
        self._asked = False
        end = time.perf_counter() + _TURN_S
        try:
            while self._steps:
                self._steps.popleft()()
                if time.perf_counter() >= end:
                    break
        finally:
            self._ask(_PAUSE_MS)
