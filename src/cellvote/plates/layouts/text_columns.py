"""Columns of texts that many files share: each different text is read once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from re import Match
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cellvote.errors import LayoutError

_CHUNK: Final = 500


@dataclass(frozen=True)
class TextColumn:
    """What one group of a pattern found in every name: few different texts, many names.

    Attributes
    ----------
    values
        The different texts; None where the group was left out.
    codes
        Which of them each name has.
    """

    values: list[str | None]
    codes: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Self:
        """Find the different texts of a column."""
        encoded = pa.array(texts, pa.string()).dictionary_encode("encode")
        return cls(encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64))

    def read(
        self,
        read: Callable[[str], Any],
        paths: Sequence[str],
        what: str,
        default: Any = None,
        advice: str = "Correct the pattern.",
    ) -> list[Any]:
        """Read each text once; say in which path one cannot be read, and what to do."""
        known: list[Any] = []
        for code, text in enumerate(self.values):
            try:
                if text:
                    known.append(read(text))
                elif default is None:
                    raise ValueError(f"the pattern leaves its {what} out")
                else:
                    known.append(default)
            except ValueError as error:
                first = paths[int(np.argmax(self.codes == code))]
                raise LayoutError(f"{first}: {error}. {advice}") from error
        return known

    def texts(
        self, read: Callable[[str], str], paths: Sequence[str], what: str, advice: str = "Correct the pattern."
    ) -> pd.api.extensions.ExtensionArray:
        """Read a column of texts as texts."""
        return pd.array(self.read(read, paths, what, advice=advice), dtype="str").take(self.codes)


def numbered(texts: pd.Series, order: Sequence[str]) -> npt.NDArray[np.int64]:
    """Give each text of a column its place in an order."""
    codes, values = pd.factorize(texts)
    return np.array([order.index(value) for value in values], np.int64)[codes]


def find_groups(
    paths: Sequence[str],
    n_groups: int,
    fit: Callable[[str], Match[str] | None],
    fit_again: Callable[[str], Match[str] | None] | None = None,
) -> tuple[list[list[str | None]], list[int]]:
    """Give what each group of a pattern finds in the paths that it fits, and which it does not fit.

    A few paths at a time: tens of thousands of tuples at once make Python's garbage collector go through
    everything that there is, again and again.

    Parameters
    ----------
    fit
        Fits the pattern to a path.
    fit_again
        Fits it in another way, where the first finds nothing.
    """
    texts: list[list[str | None]] = [[] for _ in range(n_groups)]
    unfit: list[int] = []
    for start in range(0, len(paths), _CHUNK):
        chunk = paths[start : start + _CHUNK]
        rows = [match.groups() if (match := fit(path)) else None for path in chunk]
        if None in rows:
            for i, row in enumerate(rows):
                again = fit_again(chunk[i]) if row is None and fit_again else None
                rows[i] = again.groups() if again else row
            unfit += [start + i for i, row in enumerate(rows) if row is None]
        for column, part in zip(texts, zip(*filter(None, rows), strict=True), strict=False):
            column += part
    return texts, unfit
