"""Reading one measurement of all wells at a time, in another thread; what was read is kept for a while."""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from cellvote.errors import CellVoteError
from cellvote.gui.background import Background
from cellvote.gui.facts import PlateFacts
from cellvote.gui.plate_columns import Measured
from cellvote.profiling.aggregate import Statistic, read_measurement_of_wells
from cellvote.study import Study

_KEPT: Final = 100


class _Asked(NamedTuple):
    study: Path
    segmentation: str
    version: tuple[int, int]
    name: str
    statistic: Statistic


class MeasurementReader:
    """Gives measurements of wells; says when one that was asked for is there.

    Parameters
    ----------
    take
        Called in the window's thread when something was read.
    """

    def __init__(self, take: Callable[[], None]) -> None:
        self._take = take
        self._kept: OrderedDict[_Asked, Measured | str] = OrderedDict()
        self._asked: _Asked | None = None
        self._background = Background(self._on_read)

    @property
    def busy(self) -> bool:
        """Whether something is being read."""
        return self._background.busy

    def get(self, study: Study, facts: PlateFacts, name: str, statistic: Statistic) -> Measured | str | None:
        """Give a measurement, or why it cannot be read; None where it is not read yet: then it is asked for."""
        asked = _Asked(study.path, facts.segmentation, facts.cells_version, name, statistic)
        if asked in self._kept:
            self._kept.move_to_end(asked)
            return self._kept[asked]
        if asked != self._asked:
            self._asked = asked
            self._background.ask(partial(_read, study, asked))
        return None

    def forget(self) -> None:
        """Drop what is being read."""
        self._asked = None
        self._background.forget()

    def _on_read(self, read: tuple[_Asked, Measured] | CellVoteError) -> None:
        asked, self._asked = self._asked, None
        if isinstance(read, CellVoteError):
            if asked is not None:
                self._keep(asked, str(read))
        else:
            self._keep(*read)
        self._take()

    def _keep(self, asked: _Asked, value: Measured | str) -> None:
        self._kept[asked] = value
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _read(study: Study, asked: _Asked) -> tuple[_Asked, Measured]:
    table = read_measurement_of_wells(study, asked.segmentation, asked.name, asked.statistic)
    wells = zip(table["plate"].tolist(), table["well"].tolist(), strict=True)
    return asked, Measured(asked.name, asked.statistic, dict(zip(wells, table["value"].tolist(), strict=True)))
