"""Names taken apart: what stands at each place in the names of many files."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

HINTS: Final = {
    **dict.fromkeys(("s", "f", "fld", "field", "site", "pos", "position", "fov", "xy", "point", "series"), "field"),
    **dict.fromkeys(("w", "c", "d", "ch", "chan", "channel", "wv", "wave", "wavelength", "dye"), "channel"),
    **dict.fromkeys(("z", "zstep", "zslice", "zplane", "zpos", "slice", "plane"), "z"),
    **dict.fromkeys(("t", "tp", "time", "timepoint"), "timepoint"),
    **dict.fromkeys(("row", "r"), "row"),
    **dict.fromkeys(("col", "column"), "column"),
    **dict.fromkeys(("plate", "barcode"), "plate"),
    "well": "well",
    "seq": "sequence",
    "p": "z or field",
}
"""Words and letters before a number that say what it counts."""

_DYES: Final = re.compile(
    r"dapi|hoechst|gfp|rfp|yfp|cfp|fitc|tritc|cy\d|alexa|texas|cherry|tomato|bright|phase|actin|tubulin|dna|mito(?!sis|tic)|golgi"
    r"|nuc|syto|draq|phalloidin|(?:bf|er|dic|rna|agp|con|red|green|blue|tl|tx2?|af\d+|a(?:405|488|546|568|594|647))\d?$",
    re.IGNORECASE,
)
_NAMES_OF_PARTS: Final = re.compile(
    r"(?<![a-z])(alexa(?:[ _-]*fluor)?|hoechst|dylight|atto|cf|af|cy|syto|texas|bright|far|phase|mito)"
    r"[ _-]+(\d+|red|field|contrast|tracker)(?![a-z])",
    re.IGNORECASE,
)
_WORD: Final = re.compile(
    r"(?>(?i:(well|point|position|pos|field|fld|site|fov|channel|chan|wv|wavelength|seq|series|plate|timepoint|time|zstep"
    r"|zslice|row|column|col)))[ _-]*(?=[A-Z\d])(.+)"
)
_CODES: Final = re.compile(r"(?:[A-Za-z]{1,3}\d+){2,}")
_CODE: Final = re.compile(r"[A-Za-z]{1,3}\d+")
_GLUE: Final = "\x1f"  # holds the parts of a dye's name together while names are split
_SEPARATORS: Final = tuple(
    re.compile(f" - |[{characters}]+") for characters in ("_", "_-", r"_\- ", r"_\- .()=,;+#@\[\]")
)

N_SEPARATORS: Final = len(_SEPARATORS)


@dataclass(frozen=True)
class Column:
    """What stands at one place in the names of many files.

    Attributes
    ----------
    values
        The different texts that stand there.
    codes
        Which of them each file has.
    token
        Number of the part of the name, parts being set apart by underscores and the like; folders come first.
    in_folder
        How many folders down the place is, counted from 1; 0 where it is in the file's own name.
    """

    values: tuple[str, ...]
    codes: npt.NDArray[np.intp]
    token: int
    in_folder: int

    @property
    def varies(self) -> bool:
        """Whether not all names have the same here."""
        return len(self.values) > 1

    @property
    def texts(self) -> npt.NDArray[np.object_]:
        """What each file has."""
        return np.array(self.values, object)[self.codes]

    def follows_from(self, *others: "Column") -> bool:
        """Whether files that are alike in the others are alike here."""
        keys = pd.MultiIndex.from_arrays([other.codes for other in others])
        groups = pd.factorize(keys)[0]
        pairs = groups.astype(np.int64) * len(self.values) + self.codes
        return bool(len(np.unique(pairs)) == groups.max() + 1)


def looks_like_dye(text: str) -> bool:
    """Whether a text is what channels are called."""
    found = _DYES.search(text)
    return found is not None and (found.start() == 0 or len(text) > 4)


def take_apart(paths: Sequence[str], separators: int) -> tuple[list[Column], npt.NDArray[np.intp]]:
    """Find what stands at each place in names that have the same form.

    Parameters
    ----------
    paths
        POSIX paths relative to the folder.
    separators
        Which characters set the parts apart, from the plainest (0, the underscore) to all of them (`N_SEPARATORS` − 1).

    Returns
    -------
    columns
        The places, for the files of the most common form.
    rows
        Which of the paths have that form.
    """
    split = _SEPARATORS[separators].split
    known: dict[str, tuple[str, ...]] = {}
    names: list[list[str]] = []
    forms: list[tuple[int, ...]] = []
    for path in _glued(paths):
        *folders, name = path.split("/")
        tokens = [*folders, *split(_stem(name))]
        pieces: list[str] = []
        form = [len(folders)]
        for token in tokens:
            parts = known.get(token)
            if parts is None:
                parts = known[token] = _parts(token)
            pieces += parts
            form.append(len(parts))
        names.append(pieces)
        forms.append(tuple(form))
    (common, _), *_ = Counter(forms).most_common(1)
    rows = np.array([i for i, form in enumerate(forms) if form == common], np.intp)
    columns = []
    places = [(token, at) for token, n in enumerate(common[1:]) for at in range(n)]
    for (token, _), texts in zip(places, zip(*(names[i] for i in rows), strict=True), strict=True):
        codes, values = pd.factorize(np.array(texts, object))
        columns.append(
            Column(
                tuple(value.replace(_GLUE, " ") for value in values),
                codes,
                token,
                token + 1 if token < common[0] else 0,
            )
        )
    return [column for column in columns if column.values != ("",)], rows


def _glued(paths: Sequence[str]) -> Sequence[str]:
    """Hold names of dyes together, in all paths at once: one by one it takes as long as all the rest."""
    text = "\n".join(paths)
    glued = _NAMES_OF_PARTS.sub(rf"\1{_GLUE}\2", text)
    if glued == text:
        return paths
    lines = glued.split("\n")
    return lines if len(lines) == len(paths) else paths


def _stem(name: str) -> str:
    stem = name[: name.rfind(".")]
    return stem[:-4] if stem.lower().endswith(".ome") else stem


def _parts(token: str) -> tuple[str, ...]:
    """Part ``A01f1c1`` into its codes, and ``WellA01`` into a word and what it speaks of."""
    if _CODES.fullmatch(token) and not looks_like_dye(token):
        return tuple(_CODE.findall(token))
    word = _WORD.fullmatch(token)
    return (word[1], *_parts(word[2])) if word else (token,)
