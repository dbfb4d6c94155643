"""Progress and cancelling, the same for every long step and whoever watches it."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cellvote.errors import CancelledError


@dataclass(frozen=True)
class Progress:
    """How far a step is.

    Attributes
    ----------
    done, total
        Counted in what the step goes through: fields, folds, epochs.
    where
        What was just done, such as ``Plate1/B07 field 3``.
    message
        What a person wants to know now, such as ``1,240 cells · 310 cells/s``.
    """

    done: int
    total: int
    where: str = ""
    message: str = ""


Report = Callable[[Progress], None]
"""Takes each progress of a step."""


def ignore_progress(progress: Progress) -> None:
    """Take a progress that nobody watches."""
    del progress


def quiet_decoders() -> None:
    """Let what image decoders log of damaged files pass in silence: our own errors say it, once and in full."""
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class CancelToken:
    """Asks a step to stop soon; safe to use from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the step to stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the step was asked to stop."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Stop here if asked to.

        Raises
        ------
        CancelledError
            Where the step was asked to stop.
        """
        if self.cancelled:
            raise CancelledError("cancelled; what was done is kept. Run the same command again to go on.")
