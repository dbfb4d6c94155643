"""What lies on a plate and is no cell: bright specks and lint."""

from typing import Final

import numpy as np
from scipy import ndimage

from cellvote.synthetic.painting import CHANNELS, Light

SPECK_BRIGHTNESS: Final = (900.0, 500.0, 700.0)
"""Photo-electrons of a typical speck, one for each channel."""

LINT_BRIGHTNESS: Final = (60.0, 500.0, 650.0)
LINT_PER_FIELD: Final = 0.06

_SPECK_RADIUS_UM: Final = (0.5, 1.3)
_SPECK_LOG_SD: Final = 0.5
_LINT_LENGTH_UM: Final = (30.0, 110.0)
_LINT_BEND: Final = 0.06
_LINT_WIDTH_UM: Final = 0.6


def add_debris(
    light: Light, rng: np.random.Generator, mean_specks: float, n_fields: float, pixel_size_um: float
) -> None:
    """Scatter specks and lint over a CYX canvas, in place; ``n_fields`` is its area in fields."""
    for _ in range(int(rng.poisson(mean_specks * n_fields))):
        _add_speck(light, rng, pixel_size_um)
    if mean_specks:
        for _ in range(int(rng.poisson(LINT_PER_FIELD * n_fields))):
            _add_lint(light, rng, pixel_size_um)


def _add_speck(light: Light, rng: np.random.Generator, pixel_size_um: float) -> None:
    size = light.shape[1]
    y, x = rng.uniform(0, size, 2)
    sigma = rng.uniform(*_SPECK_RADIUS_UM) / pixel_size_um
    reach = 4 * sigma
    rows = np.arange(max(0, int(y - reach)), min(size, int(y + reach) + 1))
    columns = np.arange(max(0, int(x - reach)), min(size, int(x + reach) + 1))
    spot = np.exp(-(((rows - y) / sigma) ** 2))[:, None] * np.exp(-(((columns - x) / sigma) ** 2))[None, :]
    brightness = np.array(SPECK_BRIGHTNESS) * np.exp(_SPECK_LOG_SD * rng.standard_normal(len(CHANNELS)))
    window = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    light[window] += (brightness[:, None, None] * spot).astype(np.float32)


def _add_lint(light: Light, rng: np.random.Generator, pixel_size_um: float) -> None:
    """Walk a fibre over the canvas, turning a little at each step."""
    size = light.shape[1]
    n_steps = int(rng.uniform(*_LINT_LENGTH_UM) / pixel_size_um)
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(_LINT_BEND * rng.standard_normal(n_steps))
    path = rng.uniform(0, size, 2)[:, None] + np.cumsum([np.sin(headings), np.cos(headings)], axis=1)
    rows, columns = np.round(path).astype(int)
    inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    line = np.zeros(light.shape[1:], np.float32)
    line[rows[inside], columns[inside]] = 1
    sigma = _LINT_WIDTH_UM / pixel_size_um
    line = ndimage.gaussian_filter(line, sigma, truncate=3) * np.float32(2.5 * sigma)
    light += np.array(LINT_BRIGHTNESS, np.float32)[:, None, None] * line
