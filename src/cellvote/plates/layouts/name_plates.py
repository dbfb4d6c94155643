"""Plates that images without wells name themselves by: ``PLATE--…___P00166_01___….png``, and positions on them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cellvote.plates.acquisition import Doubt

POSITION: Final = "position"
"""The plate-map column with the place on the plate that an image is of, where that is no well such as A01."""

_LEAST_FILES: Final = 20
_LEAST_FILES_A_PLATE: Final = 3
_PREFIX: Final = re.compile(r"(?P<plate>(?=[^/]*\d)[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)*?)(?:--|__)")
_PLACE: Final = re.compile(r"(?:(?<=__)|(?<=--))(?P<position>[PW]\d{3,5})(?=[_-])")
_N_EXAMPLES: Final = 3


@dataclass(frozen=True)
class NamedPlates:
    """What the names of images tell of their plates.

    Attributes
    ----------
    plates
        Of each image.
    positions
        Of each image, such as ``P00166``; None where names tell none.
    """

    plates: list[str]
    positions: list[str] | None

    def ask(self, paths: Sequence[str]) -> Doubt:
        """Say what was read, so that a person can object."""
        names = list(dict.fromkeys(self.plates))
        question = (
            f"Names begin with what is read as the plate: {len(names)} plates ({', '.join(names[:_N_EXAMPLES])} …)"
        )
        if self.positions is not None:
            n_places = len(set(zip(self.plates, self.positions, strict=True)))
            question += f", and hold what is read as the position on it: {n_places} in all, a column of the plate map"
        question += ". Where that is wrong, give --pattern."
        firsts = [self.plates.index(name) for name in names[:_N_EXAMPLES]]
        examples = []
        for i in firsts:
            place = f", position {self.positions[i]}" if self.positions is not None else ""
            examples.append(f"{paths[i]} is of plate {self.plates[i]}{place}")
        return Doubt("plates in names", question, tuple(examples))


def read_name_plates(paths: Sequence[str], classes: Mapping[str, str]) -> NamedPlates | None:
    """Read the plates that names of images begin with, where that is convincing.

    It is where every name begins with letters and digits and then a double separator (``--``, ``__``), all such
    beginnings are of one form (``PLLT0043_48``), they are few and each has several images; and, where folders are
    classes, where they do not stand for the classes: at least two are in several folders.

    Parameters
    ----------
    paths
        Images below their folder.
    classes
        By folder, the class that its images are of; empty where folders are no classes.

    Returns
    -------
    NamedPlates or None
        None where names tell no plates.
    """
    if len(paths) < _LEAST_FILES:
        return None
    names = [path.rpartition("/")[2] for path in paths]
    matches = [_PREFIX.match(name) for name in names]
    if not all(matches):
        return None
    plates = [match["plate"] for match in matches if match]
    different, counts = np.unique(plates, return_counts=True)
    forms = {re.sub(r"\d+", "0", plate) for plate in different}
    if len(different) < 2 or len(forms) > 1 or counts.mean() < _LEAST_FILES_A_PLATE:
        return None
    if classes:
        folders = [path.rpartition("/")[0] for path in paths]
        pairs = set(zip(plates, folders, strict=True))
        shared = [plate for plate in different if sum(one == plate for one, _ in pairs) > 1]
        if len(shared) < 2:
            return None
    return NamedPlates(plates, _positions(names))


def _positions(names: Sequence[str]) -> list[str] | None:
    """Find the one place of every name that holds a numbered position: the letter P or W and three digits or more."""
    found = [_PLACE.findall(name) for name in names]
    if any(len(one) != 1 for one in found):
        return None
    positions = [str(one[0]) for one in found]
    same_letter = len({position[0] for position in positions}) == 1
    return positions if same_letter and 1 < len(set(positions)) < len(positions) else None
