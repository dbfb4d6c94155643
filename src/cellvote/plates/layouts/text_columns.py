"""Columns of texts that many files share: each different text is read once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cellvote.errors import LayoutError


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

    def read(self, read: Callable[[str], Any], paths: Sequence[str], what: str, default: Any = None) -> list[Any]:
        """Read each text once; say in which path one cannot be read."""
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
                raise LayoutError(f"{first}: {error}. Correct the pattern.") from error
        return known

    def texts(self, read: Callable[[str], str], paths: Sequence[str], what: str) -> pd.api.extensions.ExtensionArray:
        """Read a column of texts as texts."""
        return pd.array(self.read(read, paths, what), dtype="str").take(self.codes)


def numbered(texts: pd.Series, order: Sequence[str]) -> npt.NDArray[np.int64]:
    """Give each text of a column its place in an order."""
    codes, values = pd.factorize(texts)
    return np.array([order.index(value) for value in values], np.int64)[codes]
