"""Controls: which wells are negative or positive, and how one can tell."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import pandas as pd

from cellvote.plates.plate_maps.columns import (
    CONTROL_TYPE,
    compound_columns,
    content_columns,
    find_named,
    is_gene_name,
    numbered_columns,
    words,
)

NEGATIVE: Final = "negative"
POSITIVE: Final = "positive"
CONTROL_SOURCE: Final = "control_type_source"
"""Where a column ``control_type`` with words of its own goes, so that nothing is lost."""

_LONGEST: Final = 80
"""No name of a control is longer; long entries are not searched."""

_NO_ENTRY: Final = frozenset({"", "na", "nan", "none", "null"})
_ROLE_NAMES: Final = (
    *("controltype", "control", "controls", "controlstatus", "wellrole", "role", "welltype", "sampletype", "perttype"),
    *("sampleclass", "compoundtype", "treatmenttype", "wellclass"),
)
_VEHICLES: Final = re.compile(
    r"(?:(?:\d[\d.,]*\s*%\s*)?(?:dmso|dimethyl[\s-]?sulf?ph?oxide|vehicle|pbs|water|h2o|ddh2o|media|etoh|ethanol)"
    r"(?:[\s_-]*(?:control|ctrl|only|alone|mock|normali[sz]ation|backfill))?(?:[\s_,(-]*\d[\d.,]*\s*%?\s*(?:v/v)?\)?)?"
    r"|medium[\s_-]?(?:control|ctrl|only|alone)|(?:un|non|not)[\s_-]?treated(?:[\s_-]*(?:control|ctrl|cells))?|no[\s_-]?(?:treatment|drug|compound)|mock"
    r"(?:[\s_-]*(?:control|ctrl|treated|transfected))?)",
    re.IGNORECASE,
)
_NON_TARGETING: Final = re.compile(
    r"(?:(?:si|sh|sg|gRNA|siRNA|shRNA|sgRNA)?[\s_-]*(?:non|not)[\s_-]?targeting|(?:si|sh|sg)?[\s_-]*scr[ae]mbled?"
    r"|(?:si)?ntc|nt[\s_-]?(?:control|ctrl)|(?:si|sh|sg)[\s_-]?(?:control|ctrl|nt|neg|scr)|luciferase|siluc|no[\s_-]?site)"
    r"(?:[\s_#-]*(?:si|sh|sg)?(?:rna)?[\s_-]*(?:control|ctrl|pool|guide)?s?[\s_#-]*\d*)",
    re.IGNORECASE,
)
_NEGATIVE_WORDS: Final = re.compile(
    r"neg(?:ative)?(?:[\s_-]*(?:con|control|ctrl|ctl)s?)?(?:[\s_-].*|\d*)|negcon\w*|nc\d*|ctl_(?:vehicle|untrt|vector)\w*"
    r"|(?:low|blank)[\s_-]?(?:control|ctrl)s?|(?:ctrl|control)[\s_-]?neg\w*",
    re.IGNORECASE,
)
_POSITIVE_WORDS: Final = re.compile(
    r"pos(?:itive)?(?:[\s_-]*(?:con|control|ctrl|ctl)s?)?(?:[\s_-].*|\d*)|poscon\w*|pc\d*|trt_poscon\w*"
    r"|high[\s_-]?(?:control|ctrl)s?|(?:ctrl|control)[\s_-]?pos\w*",
    re.IGNORECASE,
)
_NAMED_CONTROL: Final = re.compile(
    r"(?P<sign>neg|pos)(?:ative|itive)?[\s_-]?(?:con|control|ctrl|ctl)s?(?:[^a-z].*)?", re.IGNORECASE
)
_LONE_CONTROL: Final = re.compile(r"(?:control|ctrl|ctl)s?", re.IGNORECASE)


class Told(NamedTuple):
    """What one entry says: a control type (empty: it says that the well is none), and why."""

    control_type: str
    reason: str


def recognise_controls(plate_map: pd.DataFrame) -> pd.DataFrame:
    """Recognise control wells, from what the map says of them and then from what is in them.

    Read in this order: columns that tell the role of a well (``control_type``, ``pert_type``, ``SBS_Controls``
    with −1, 0 and 1, …); compounds that are none (DMSO, untreated, scramble, …) or that are called a
    control; wells without a compound in a solvent such as DMSO.

    Returns
    -------
    DataFrame
        Aligned with the plate map: ``control_type`` (``negative``, ``positive`` or empty) and ``reason``, such
        as ``compound is 'DMSO'``; empty where nothing was recognised.
    """
    told: list[Told | None] = [None] * len(plate_map)
    for source in (_by_role, _by_content, _by_solvent):
        found = source(plate_map)
        told = [new if old is None else old for old, new in zip(told, found, strict=True)]
    return pd.DataFrame(
        {
            CONTROL_TYPE: [one.control_type if one else "" for one in told],
            "reason": [one.reason if one and one.control_type else "" for one in told],
        },
        index=plate_map.index,
        dtype="str",
    )


def with_control_type(plate_map: pd.DataFrame) -> pd.DataFrame:
    """Add ``control_type`` where a control is recognised.

    A column of that name that holds only ``negative``, ``positive`` or nothing stays as it is: somebody has
    decided. One with other words (``negcon``, ``poscon_cp``) is kept under the name ``control_type_source``.
    """
    own = next((c for c in content_columns(plate_map) if c.casefold() == CONTROL_TYPE), None)
    if own is not None and set(plate_map[own]) - {""} and set(plate_map[own]) <= {NEGATIVE, POSITIVE, ""}:
        return plate_map
    found = recognise_controls(plate_map)[CONTROL_TYPE]
    if own is None or CONTROL_SOURCE in plate_map:
        return plate_map if own is not None or not (found != "").any() else plate_map.assign(**{CONTROL_TYPE: found})
    if not (found != "").any():
        return plate_map
    if not (plate_map[own] != "").any():
        return plate_map.assign(**{own: found})
    return plate_map.rename(columns={own: CONTROL_SOURCE}).assign(**{CONTROL_TYPE: found})


def untold_controls(plate_map: pd.DataFrame) -> list[str]:
    """Say which column is called after controls, where none of its entries says whether a well is one."""
    if CONTROL_TYPE in plate_map:
        return []
    columns = content_columns(plate_map)
    for column in (c for c in columns if {"control", "controls", "ctrl"} & set(words(c))):
        entries = [entry for entry in map(str, pd.unique(plate_map[column])) if entry.casefold() not in _NO_ENTRY]
        if entries and not any(_meanings(column, plate_map[column]).values()):
            listed = ", ".join(entries[:3])
            said = f"The column {column!r} ({listed}) does not say which wells are negative and positive controls"
            return [f"{said}: write these words into a column control_type."]
    return []


def _by_role(plate_map: pd.DataFrame) -> list[Told | None]:
    columns = content_columns(plate_map)
    named = [c for c in columns if c == CONTROL_SOURCE]
    named += [c for c in find_named(columns, _ROLE_NAMES) if c not in named]
    named += [c for c in columns if c not in named and {"control", "controls", "ctrl"} & set(words(c))]
    decided = [c for c in named if c == CONTROL_TYPE and set(plate_map[c]) <= {NEGATIVE, POSITIVE, ""}]
    told: list[Told | None] = [None] * len(plate_map)
    for column in [*(c for c in named if c not in decided), *decided]:
        entries = plate_map[column].astype("str")
        meaning = _meanings(column, entries)
        told = [meaning.get(e) if old is None else old for old, e in zip(told, entries, strict=True)]
    return told


def _meanings(column: str, entries: pd.Series) -> dict[str, Told | None]:
    """What each entry of a column with roles says."""
    there = [entry for entry in map(str, pd.unique(entries)) if entry.casefold() not in _NO_ENTRY]
    codes = _codes(column, there)
    meanings: dict[str, Told | None] = {}
    for entry in there:
        reason = f"{column} is {entry!r}"
        if codes is not None:
            meanings[entry] = Told(codes[entry], reason)
        elif len(entry) > _LONGEST:
            continue
        elif _POSITIVE_WORDS.fullmatch(entry):
            meanings[entry] = Told(POSITIVE, reason)
        elif _NEGATIVE_WORDS.fullmatch(entry) or is_vehicle(entry):
            meanings[entry] = Told(NEGATIVE, reason)
        elif not _LONE_CONTROL.fullmatch(entry) and re.match(
            r"(?:trt|treat|test|sample|compound|cpd|unknown|drug|no$|false$)", entry, re.IGNORECASE
        ):
            meanings[entry] = Told("", reason)
    return meanings


def _codes(column: str, entries: Iterable[str]) -> dict[str, str] | None:
    """Read −1, 0 and 1 as negative, none and positive; 0 and 1 only where the name says which control it is."""
    numbers: dict[str, float] = {}
    for entry in entries:
        text = {"true": "1", "yes": "1", "false": "0", "no": "0"}.get(entry.casefold(), entry.replace("−", "-"))
        try:
            numbers[entry] = float(text)
        except ValueError:
            return None
    values = set(numbers.values())
    if -1.0 in values and values <= {-1.0, 0.0, 1.0}:
        return {entry: {-1.0: NEGATIVE, 0.0: "", 1.0: POSITIVE}[number] for entry, number in numbers.items()}
    named = {"neg", "negative", "negcon", "vehicle"} & set(words(column))
    which = NEGATIVE if named else POSITIVE if {"pos", "positive", "poscon"} & set(words(column)) else ""
    if which and 1.0 in values and values <= {0.0, 1.0}:
        return {entry: which if number else "" for entry, number in numbers.items()}
    return None


@lru_cache(maxsize=16384)
def is_vehicle(entry: str) -> bool:
    """Whether a compound (or siRNA) is none: DMSO, untreated, mock, PBS, non-targeting, scramble, …."""
    entry = entry.strip()
    return len(entry) <= _LONGEST and bool(_VEHICLES.fullmatch(entry) or _NON_TARGETING.fullmatch(entry))


@lru_cache(maxsize=16384)
def _by_name(entry: str) -> str:
    if is_vehicle(entry) or _LONE_CONTROL.fullmatch(entry):
        return NEGATIVE
    match = _NAMED_CONTROL.fullmatch(entry) if len(entry) <= _LONGEST else None
    return "" if match is None else NEGATIVE if match["sign"].casefold() == "neg" else POSITIVE


def _by_content(plate_map: pd.DataFrame) -> list[Told | None]:
    """Tell controls by what is in the wells: DMSO beside a second compound, or beside a knocked-down gene, is none."""
    numbered = numbered_columns(plate_map)
    columns = [c for c in compound_columns(plate_map) if c not in numbered]
    genes = [c for c in columns if is_gene_name(c)]
    groups = [[c] for c in numbered] + [group for group in ([c for c in columns if c not in genes], genes) if group]
    found = [_by_names(plate_map, group) for group in groups]
    return [_agreed(told) for told in zip(*found, strict=True)] if found else [None] * len(plate_map)


def _by_names(plate_map: pd.DataFrame, columns: Sequence[str]) -> list[Told | None]:
    """Tell by the names in one or several columns that all name the same thing; None where they are empty."""
    told: list[Told | None] = [None] * len(plate_map)
    for column in columns:
        for i, entry in enumerate(plate_map[column].astype("str")):
            before = told[i]
            if entry.casefold() not in _NO_ENTRY and (before is None or not before.control_type):
                name = _by_name(entry)
                told[i] = Told(name, f"{column} is {entry!r}") if name or before is None else before
    return told


def _agreed(told: Sequence[Told | None]) -> Told | None:
    there = [one for one in told if one is not None]
    positive = next((one for one in there if one.control_type == POSITIVE), None)
    if positive is not None:
        return positive
    return there[0] if there and all(one.control_type == NEGATIVE for one in there) else None


def _by_solvent(plate_map: pd.DataFrame) -> list[Told | None]:
    """Wells that hold the solvent alone, on a map on which other wells hold a compound in it."""
    solvents = find_named(content_columns(plate_map), ("solvent", "vehicle", "diluent"))
    compounds = compound_columns(plate_map)
    if not solvents or not compounds or not (plate_map[compounds[-1:]] != "").to_numpy().any():
        return [None] * len(plate_map)
    bare = plate_map[compounds].apply(lambda c: c.str.casefold().isin(_NO_ENTRY)).all(axis=1)
    why = f"no {compounds[0]}, and {solvents[0]} is "
    return [
        Told(NEGATIVE, f"{why}{solvent!r}") if empty and is_vehicle(solvent) else None
        for empty, solvent in zip(bare, plate_map[solvents[0]].astype("str"), strict=True)
    ]
