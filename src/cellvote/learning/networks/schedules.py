"""Learning rate schedules: a factor for each step of a run."""

import math
from typing import Final

from cellvote.learning.settings import TrainSettings

_WARM_SHARE: Final = {"cosine": 0.1, "one-cycle": 0.3}
_COLD: Final = {"cosine": (0.1, 1e-3), "one-cycle": (0.04, 4e-6)}
"""The factor at the start and the least one: one-cycle as Smith & Topin ("Super-convergence", 2018)."""


def learning_rate_factor(settings: TrainSettings, share_done: float, epoch: int) -> float:
    """Say how much of the learning rate a step takes.

    Parameters
    ----------
    share_done
        Of the whole run, 0 … 1.
    epoch
        From 1.
    """
    kind = settings.schedule
    if kind == "constant":
        return 1.0
    if kind == "exponential":
        return settings.schedule_factor ** (epoch - 1)
    if kind == "step":
        return settings.schedule_factor ** ((epoch - 1) // settings.schedule_epochs)
    warm, (first, least) = _WARM_SHARE[kind], _COLD[kind]
    if share_done < warm:
        along = share_done / warm
        rise = along if kind == "cosine" else 0.5 * (1 - math.cos(math.pi * along))
        return first + (1 - first) * rise
    return max(0.5 * (1 + math.cos(math.pi * (share_done - warm) / (1 - warm))), least)
