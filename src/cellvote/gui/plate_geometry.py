"""Where the wells of a plate lie in a picture of it; no window here."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from cellvote.plates.wells import row_letters, well_name, well_position

_ROUND_ROWS: Final = 8
"""Up to 96 wells are round, as in reality; plates with more wells have square ones."""

_MOST_PITCH: Final = 52.0
"""A plate with few wells does not need a whole screen."""

_NICE_STEPS: Final = (1, 2, 5, 10, 20)


@dataclass(frozen=True)
class PlateGeometry:
    """A grid of wells in a picture, in device-independent pixels.

    Square wells lie on whole pixels of the screen: so many small ones look even, and are sharp.

    Attributes
    ----------
    shape
        Rows and columns.
    left, top
        Of well A01.
    pitch
        From well to well.
    gap
        Between wells.
    """

    shape: tuple[int, int]
    left: float
    top: float
    pitch: float
    gap: float

    @classmethod
    def fit(
        cls, shape: tuple[int, int], size: tuple[float, float], margins: tuple[float, float], ratio: float = 1.0
    ) -> Self:
        """Make the wells as large as a picture allows.

        Parameters
        ----------
        size
            Width and height of the picture.
        margins
            Left and top, for the names of rows and columns.
        ratio
            Pixels of the screen to a pixel.
        """
        rows, columns = shape
        width, height = size[0] - margins[0] - 2, size[1] - margins[1] - 2
        pitch = min(max(min(width / columns, height / rows), 1.0), _MOST_PITCH)
        left = margins[0] + max(0.0, (width - pitch * columns) / 2)
        if rows <= _ROUND_ROWS:
            return cls(shape, left, margins[1], pitch, min(5.0, pitch * 0.12))
        on_screen = max(int(pitch * ratio), 1)
        left = margins[0] + max(0.0, (width - on_screen / ratio * columns) / 2)
        gap = max(round(on_screen * 0.1), 1) if on_screen > 2 else 0
        return cls(shape, int(left * ratio) / ratio, int(margins[1] * ratio) / ratio, on_screen / ratio, gap / ratio)

    @property
    def is_round(self) -> bool:
        """Whether wells are circles."""
        return self.shape[0] <= _ROUND_ROWS

    @cached_property
    def rects(self) -> dict[str, tuple[float, float, float, float]]:
        """Left, top, width and height of every well."""
        return {
            well_name(row, column): self._rect(row, column)
            for row in range(1, self.shape[0] + 1)
            for column in range(1, self.shape[1] + 1)
        }

    def rect(self, well: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of a well."""
        return self._rect(*well_position(well))

    def _rect(self, row: int, column: int) -> tuple[float, float, float, float]:
        inset = self.gap / 2 if self.is_round else 0.0  # half a gap may be half a pixel
        x, y = self.left + (column - 1) * self.pitch + inset, self.top + (row - 1) * self.pitch + inset
        return x, y, self.pitch - self.gap, self.pitch - self.gap

    def well_at(self, x: float, y: float) -> str:
        """Which well lies at a point; empty where none does."""
        row, column = (y - self.top) // self.pitch, (x - self.left) // self.pitch
        inside = 0 <= row < self.shape[0] and 0 <= column < self.shape[1]
        return well_name(int(row) + 1, int(column) + 1) if inside else ""

    def named_columns(self, needed: float) -> list[tuple[int, str]]:
        """Name the columns: all, or the first and then every so many where names need more room than a well has."""
        return [(number, str(number)) for number in self._named(self.shape[1], needed)]

    def named_rows(self, needed: float) -> list[tuple[int, str]]:
        """Name the rows, likewise."""
        return [(number, row_letters(number)) for number in self._named(self.shape[0], needed)]

    def _named(self, count: int, needed: float) -> list[int]:
        step = next((step for step in _NICE_STEPS if step * self.pitch >= needed), 50)
        if step <= 2:
            return list(range(1, count + 1, step))
        return [1, *(number for number in range(step, count + 1, step) if (number - 1) * self.pitch >= needed)]

    def outline(self, wells: frozenset[str]) -> list[tuple[float, float, float, float]]:
        """Draw round wells, neighbours in one outline: lines as x and y of both ends."""
        places = {tuple(well_position(well)) for well in wells}
        shift = 0.0 if self.is_round else -self.gap / 2
        lines: list[tuple[float, float, float, float]] = []
        for row, column in places:
            x, y = self.left + shift + (column - 1) * self.pitch, self.top + shift + (row - 1) * self.pitch
            right, below = x + self.pitch, y + self.pitch
            sides = {
                (row - 1, column): (x, y, right, y),
                (row + 1, column): (x, below, right, below),
                (row, column - 1): (x, y, x, below),
                (row, column + 1): (right, y, right, below),
            }
            lines += [line for neighbour, line in sides.items() if neighbour not in places]
        return lines
