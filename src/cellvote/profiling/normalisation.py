"""Profiles compared with the negative controls of their own plate."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import PlateMapError, SettingsError
from cellvote.plates.acquisition import FIELD
from cellvote.plates.plate_map import CONTROL_TYPE
from cellvote.profiling.profiles import ProfileSettings, profile_columns
from cellvote.profiling.selection import select_columns
from cellvote.profiling.sphering import Sphering, has_spread

Floats = npt.NDArray[np.float64]
Wells = npt.NDArray[np.bool_]

NORMAL: Final = 1.4826
"""The standard deviation of a normal distribution, in median absolute deviations."""

_MOST_NAMED: Final = 5


class NormalisedProfiles(NamedTuple):
    """Profiles that were compared with a reference, and what a person should know of it, one sentence each."""

    table: pd.DataFrame
    notes: tuple[str, ...] = ()


def normalise_profiles(
    profiles: pd.DataFrame, plate_map: pd.DataFrame, settings: ProfileSettings | None = None
) -> NormalisedProfiles:
    """Compare each well with the reference wells of its own plate.

    ``robust-z`` is (x − median) ÷ (1.4826 × MAD) and ``z`` is (x − mean) ÷ standard deviation (of the population),
    where median, MAD, mean and standard deviation are those of the reference wells; ``sphering`` is described at
    `Sphering`. A column without spread among the reference wells of a plate is no number on that plate.

    Parameters
    ----------
    profiles
        As `profile_wells` gives them.
    plate_map
        ``plate``, ``well`` and ``control_type``; with ``field`` where images have no wells.

    Returns
    -------
    NormalisedProfiles
        The same wells, keys and counts; columns of the same names (of PCA sphering: ``pc_1``, …), without those that
        were dropped.

    Raises
    ------
    PlateMapError
        Where plates have too few reference wells.
    SettingsError
        Where PCA sphering is asked for several plates: components of one mean nothing on another.
    """
    settings = settings or ProfileSettings()
    if settings.normalisation == "none":
        return NormalisedProfiles(profiles.copy())
    columns = profile_columns(profiles)
    numbers = profiles[columns].to_numpy(np.float64)
    plates = profiles["plate"].to_numpy(str)
    reference, notes = choose_reference(profiles, np.isfinite(numbers).any(axis=1), plate_map, settings)
    keys = profiles[[c for c in profiles if c not in set(columns)]]
    compared = pd.DataFrame(numbers, columns=columns, index=keys.index)
    if settings.normalisation == "sphering":
        compared, more = _sphere(compared, plates, reference, settings)
    else:
        compared, more = _standardise(compared, plates, reference, robust=settings.normalisation == "robust-z")
        if settings.select:
            compared, selected = _select(compared, settings)
            more.append(selected)
    return NormalisedProfiles(pd.concat([keys, compared], axis=1), (*notes, *more))


def _with_profile(numbers: Floats) -> Floats:
    return numbers[np.isfinite(numbers).any(axis=1)]


def choose_reference(
    wells: pd.DataFrame, there: Wells, plate_map: pd.DataFrame, settings: ProfileSettings
) -> tuple[Wells, list[str]]:
    """Choose the wells that the others of their plate are compared with.

    Parameters
    ----------
    wells
        One row per well: ``plate``, ``well``; ``field`` where images have no wells.
    there
        Which of these have a profile.

    Returns
    -------
    ndarray of bool, list of str
        Which wells; and of which plates all wells had to do.

    Raises
    ------
    PlateMapError
        Where a plate has too few.
    """
    keys = [c for c in FIELD if c in wells]
    negative = np.zeros(len(wells), np.bool_)
    if CONTROL_TYPE in plate_map:
        known = wells[keys].merge(plate_map[[*keys, CONTROL_TYPE]], on=keys, how="left")[CONTROL_TYPE]
        negative = (known == "negative").fillna(value=False).to_numpy(np.bool_)
    plates = wells["plate"].to_numpy(str)
    marked = np.zeros(len(wells), np.bool_)
    notes, lacking = [], []
    for plate in np.unique(plates):
        here = (plates == plate) & there
        chosen = here & negative if settings.reference != "all" else here
        if chosen.sum() < settings.min_controls and settings.reference == "negative-or-all":
            notes.append(f"{plate}: has {_count(int(chosen.sum()))}: compared with all of its wells.")
            chosen = here
        if chosen.sum() < settings.min_controls:
            lacking.append((str(plate), int(chosen.sum())))
        marked |= chosen
    if lacking:
        raise _too_few(lacking, settings)
    return marked, notes


def _count(n: int, what: str = "negative control") -> str:
    return f"{n or 'no'} {what}{'' if n == 1 else 's'} with a profile"


def _too_few(lacking: Sequence[tuple[str, int]], settings: ProfileSettings) -> PlateMapError:
    (plate, n), *others = lacking
    more = f" ({len(others)} other plates lack them, too)" if others else ""
    if settings.reference != "negative":
        return PlateMapError(
            f"{plate}: has {_count(n, 'well')}{more}, too few to compare with. Set min_controls={max(n, 2)} or "
            "normalisation=none."
        )
    fewer = f"; min_controls={n} to do with these" if n > 1 else ""
    return PlateMapError(
        f"{plate}: has {_count(n)}{more}, and {settings.min_controls} are needed to compare with. Name them in the "
        "column control_type of the plate map, or set reference=negative-or-all (or all) to compare with all wells of "
        f"a plate{fewer}; normalisation=none to leave profiles as they are."
    )


def _standardise(
    profiles: pd.DataFrame, plates: npt.NDArray[np.str_], reference: Wells, *, robust: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Give each number its distance from the reference wells of its plate, in their spreads."""
    numbers = profiles.to_numpy(np.float64)
    result = np.full_like(numbers, np.nan)
    notes = []
    for plate in np.unique(plates):
        here = plates == plate
        centre, spread = _centre_and_spread(numbers[here & reference], robust=robust)
        known = np.isfinite(centre)
        usable = known & has_spread(spread, centre)
        result[np.ix_(here, usable)] = (numbers[np.ix_(here, usable)] - centre[usable]) / spread[usable]
        unusable = known & ~usable
        if unusable.any():
            named = _named(_chosen(profiles, unusable))
            notes.append(f"{plate}: no number for {named}: no spread among the wells that it is compared with.")
    return pd.DataFrame(result, columns=profiles.columns, index=profiles.index), notes


def _centre_and_spread(wells: Floats, *, robust: bool) -> tuple[Floats, Floats]:
    """Give centre and spread of each column over wells; not a number where no well has one."""
    table = pd.DataFrame(wells)
    if robust:
        centre = table.median()
        spread = (table - centre).abs().median() * NORMAL
    else:
        centre, spread = table.mean(), table.std(ddof=0)
    return centre.to_numpy(np.float64), spread.to_numpy(np.float64)


def _chosen(profiles: pd.DataFrame, which: npt.NDArray[np.bool_]) -> list[str]:
    return [str(c) for c, chosen in zip(profiles, which, strict=True) if chosen]


def _named(columns: Sequence[str]) -> str:
    named = ", ".join(columns[:_MOST_NAMED])
    return f"{named} and {len(columns) - _MOST_NAMED} more columns" if len(columns) > _MOST_NAMED else named


def _select(profiles: pd.DataFrame, settings: ProfileSettings) -> tuple[pd.DataFrame, str]:
    numbers = _with_profile(profiles.to_numpy(np.float64))
    selection = select_columns(numbers, settings.max_missing, settings.max_correlation)
    return profiles[_chosen(profiles, selection.kept)], f"{selection}."


def _sphere(
    profiles: pd.DataFrame, plates: npt.NDArray[np.str_], reference: Wells, settings: ProfileSettings
) -> tuple[pd.DataFrame, list[str]]:
    """Sphere each plate by its own reference wells."""
    names = np.unique(plates)
    with_components = settings.sphering.startswith("PCA")
    if with_components and len(names) > 1:
        raise SettingsError(
            f"the components of one plate mean nothing on another, and there are {len(names)} plates: set "
            "sphering=ZCA-cor."
        )
    profiles, notes = _sphereable(profiles, plates, reference)
    if settings.select:
        profiles, selected = _select(profiles, settings)
        notes.append(selected)
    numbers = profiles.to_numpy(np.float64)
    n_columns = numbers.shape[1]
    sphered: list[tuple[Wells, Floats]] = []
    for plate in names:
        here = plates == plate
        controls = numbers[here & reference]
        if len(controls) <= n_columns:
            notes.append(
                f"{plate}: {len(controls)} controls for {n_columns} columns: directions in which controls do not "
                "differ are stretched like that in which they differ least. Select columns, or compare with all wells."
            )
        sphered.append((here, Sphering.fit(controls, settings.sphering, settings.epsilon)(numbers[here])))
    result = np.full((len(numbers), sphered[0][1].shape[1]), np.nan)
    for here, values in sphered:
        result[here] = values
    columns = [f"pc_{i + 1}" for i in range(result.shape[1])] if with_components else profiles.columns
    return pd.DataFrame(result, columns=columns, index=profiles.index), notes


def _sphereable(
    profiles: pd.DataFrame, plates: npt.NDArray[np.str_], reference: Wells
) -> tuple[pd.DataFrame, list[str]]:
    """Drop columns that lack a number in a well that has others, or do not differ among the controls of a plate."""
    numbers = profiles.to_numpy(np.float64)
    keep = np.asarray(np.isfinite(_with_profile(numbers)).all(axis=0))
    for plate in np.unique(plates):
        centre, spread = _centre_and_spread(numbers[(plates == plate) & reference], robust=False)
        keep &= np.isfinite(spread) & has_spread(spread, centre)
    if not keep.any():
        raise SettingsError("no column has a number in every well and a spread among the controls: nothing to sphere.")
    if keep.all():
        return profiles, []
    dropped = _named(_chosen(profiles, ~keep))
    return profiles[_chosen(profiles, keep)], [
        f"Sphering needs a number in every well, and a spread among the controls; dropped: {dropped}."
    ]
