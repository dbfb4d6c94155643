"""Concentrations: amounts and units in any spelling, as µM where that can be said."""

import math
import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final, NamedTuple

import pandas as pd

from cellvote.plates.plate_maps.columns import (
    CONCENTRATION_UM,
    NO_NUMBER,
    UNIT_NAMES,
    content_columns,
    find_named,
    is_dose_name,
    numbered_columns,
)

_UM_PER: Final = {
    "M": Decimal(10) ** 6,
    "mM": Decimal(10) ** 3,
    "µM": Decimal(1),
    "nM": Decimal(10) ** -3,
    "pM": Decimal(10) ** -6,
    "fM": Decimal(10) ** -9,
}
_PREFIXES: Final = {"m": "m", "u": "µ", "n": "n", "p": "p", "f": "f"}
_PREFIXES_IN_WORDS: Final = {"milli": "m", "micro": "u", "nano": "n", "pico": "p", "femto": "f"}
_MOLAR: Final = re.compile(
    r"(?P<prefix>milli|micro|nano|pico|femto|[munpf])?(?:molar|mol(?:es?|s)?\s*(?:/|per)\s*(?:l|liter|litre)|m)",
    re.IGNORECASE,
)
_AMOUNT: Final = re.compile(
    r"(?P<number>[-+]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][-+]?\d{1,3})?)\s*(?P<unit>[^\d\s.,][^\d]{0,24})?"
)
_NAME_UNIT: Final = re.compile(r"[\s_.(\[/,-]+|(?<=[a-z])(?=[unmpf]M\b)")
_NO_DOSE: Final = re.compile(r"(?:^|[^a-z])(?:log|stock|unit)")
_MAX_UM: Final = 1e9
_LONGEST: Final = 60


class Amount(NamedTuple):
    """A number and the unit that stands behind it (empty where none does)."""

    number: Decimal
    unit: str


@lru_cache(maxsize=4096)
def molar_unit(text: str) -> str:
    """Read a molar unit in any spelling as ``M``, ``mM``, ``µM``, ``nM``, ``pM`` or ``fM``; else empty.

    A lone ``m`` is no unit of concentration.
    """
    text = _with_u(text.strip().strip("()[]").strip())
    match = _MOLAR.fullmatch(text)
    if match is None or text == "m":
        return ""
    prefix = (match["prefix"] or "").casefold()
    return _PREFIXES.get(_PREFIXES_IN_WORDS.get(prefix, prefix), "") + "M"


def _with_u(text: str) -> str:
    """Write both characters that look like µ as ``u``."""
    return text.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u")


@lru_cache(maxsize=4096)
def unit_of_name(name: str) -> str:
    """Read the molar unit in the name of a column, such as ``conc (nM)``, ``dose_nM`` or ``mmoles_per_liter``."""
    name = _with_u(name)
    for opening, closing in (("(", ")"), ("[", "]")):
        if opening in name and closing in name:
            unit = molar_unit(name[name.index(opening) + 1 : name.rindex(closing)])
            if unit:
                return unit
    parts = [part for part in _NAME_UNIT.split(name.strip().strip(")]")) if part]
    for n in (1, 3):
        if len(parts) >= n:
            unit = molar_unit(" ".join(parts[-n:]))
            if unit and (len(parts) > n or n == 3):
                return unit
    return ""


@lru_cache(maxsize=16384)
def read_amount(entry: str, *, comma_is_decimal: bool | None = None) -> Amount | None:
    """Read an entry such as ``10``, ``0.1 um`` or ``1,5 µM``; None where it is something else.

    Parameters
    ----------
    comma_is_decimal
        What a comma before three digits means; where it is not known, such an entry is not read.
    """
    match = _AMOUNT.fullmatch(entry.strip()) if len(entry) <= _LONGEST else None
    if match is None:
        return None
    number = match["number"]
    if "," in number:
        number = _without_comma(number, comma_is_decimal)
    try:
        value = Decimal(number)
    except InvalidOperation:
        return None
    return Amount(value, (match["unit"] or "").strip())


def _without_comma(number: str, comma_is_decimal: bool | None) -> str:
    """Write a number with commas as Python does; as it is where that cannot be said."""
    if "." in number:  # the last of the two is the decimal one
        last = max(number.rindex(","), number.rindex("."))
        return re.sub(r"[.,]", "", number[:last]) + "." + number[last + 1 :]
    if number.count(",") > 1:
        return number.replace(",", "") if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", number) else number
    if comma_is_decimal is None:
        comma_is_decimal = True if _has_decimal_comma(number) else None
    if comma_is_decimal is None:
        return number
    return number.replace(",", "." if comma_is_decimal else "")


def _has_decimal_comma(number: str) -> bool:
    """Whether a comma can only be a decimal one: ``0,125`` and ``1,5``, but not ``1,000``."""
    return re.fullmatch(r"[-+]?(?:0*,\d+|\d+,(?:\d{1,2}|\d{4,}))(?:[eE].*)?", number) is not None


def _comma_is_decimal(entries: Iterable[str]) -> bool | None:
    matches = [_AMOUNT.fullmatch(entry.strip()) for entry in entries if len(entry) <= _LONGEST]
    numbers = [match["number"] for match in matches if match]
    if any(_has_decimal_comma(number) for number in numbers):
        return True
    return False if any("." in number and "," not in number for number in numbers) else None


def um_of(amount: Amount) -> Decimal:
    """Give an amount with a molar unit in µM."""
    return amount.number * _UM_PER[amount.unit]


def _um_text(amount: Amount) -> str:
    """Write an amount in µM, without rounding noise: 3 nM is ``0.003``; empty where it is none."""
    exact = um_of(amount)
    number = float(exact)
    if not math.isfinite(number) or not 0 <= number <= _MAX_UM or (exact and not number):
        return ""
    return repr(number).removesuffix(".0")


def amounts(plate_map: pd.DataFrame, column: str) -> list[Amount | None]:
    """Read a column of doses: the number of each row and its molar unit, empty where that cannot be said.

    The unit is taken from the entry, else from the name of the column, else from a column with units. Nothing
    (0) without a unit has the unit of the others.
    """
    entries = plate_map[column].astype("str")
    unit_columns = find_named(content_columns(plate_map), UNIT_NAMES)
    units = plate_map[unit_columns[0]].astype("str") if unit_columns else [""] * len(entries)
    comma, in_name = _comma_is_decimal(pd.unique(entries)), unit_of_name(column)
    known: dict[tuple[str, str], Amount | None] = {}
    for entry, unit in set(zip(entries, units, strict=True)):
        read = read_amount(entry, comma_is_decimal=comma)
        known[entry, unit] = None if read is None else Amount(read.number, molar_unit(read.unit or in_name or unit))
        if read is not None and not read.number and not read.unit and not unit:
            known[entry, unit] = Amount(read.number, in_name or "µM")
    return [known[pair] for pair in zip(entries, units, strict=True)]


def concentration_um(plate_map: pd.DataFrame) -> pd.Series | None:
    """Read the concentrations of a plate map in µM.

    An entry without a unit, and one in a unit that is not molar (``%``, ``ng/ml``), says no concentration in µM;
    the first column of doses that says any above 0 is the one that is read.

    Returns
    -------
    Series of str or None
        Aligned with the plate map: numbers as text, such as ``0.01``; empty where there is none. None where no
        column says any.
    """
    column = _molar_column(plate_map)
    if column is None:
        return None
    texts = ["" if one is None or not one.unit else _um_text(one) for one in amounts(plate_map, column)]
    return pd.Series(texts, index=plate_map.index, dtype="str")


def _molar_column(plate_map: pd.DataFrame) -> str | None:
    """Name the first column of doses that says any concentration above 0 in a molar unit."""
    for column in _dose_columns(plate_map):
        if any(one is not None and one.unit and one.number for one in amounts(plate_map, column)):
            return column
    return None


def _dose_columns(plate_map: pd.DataFrame) -> list[str]:
    return [
        column
        for column in content_columns(plate_map)
        if column != CONCENTRATION_UM
        and (is_dose_name(column) or (unit_of_name(column) and re.search(r"M\b|mol", column)))
        and not _NO_DOSE.search(column.casefold())
    ]


def unread_concentrations(plate_map: pd.DataFrame) -> list[str]:
    """Say which entries of doses are no numbers, or have no value in µM beside others that have one.

    A column of words (``low``, ``high``) is none of doses, and is not spoken of.
    """
    sentences = []
    in_um = _molar_column(plate_map)
    if in_um is not None and len(numbered_columns(plate_map)) > 1:
        sentences.append(f"Wells hold several compounds; {CONCENTRATION_UM} is that of the column {in_um!r}.")
    for column in _dose_columns(plate_map):
        if not any(re.match(r"[-+]?[.,]?\d", entry) for entry in plate_map[column].astype("str")):
            continue
        found = amounts(plate_map, column)
        unread = [
            entry
            for entry, one in zip(plate_map[column].astype("str"), found, strict=True)
            if entry.casefold() not in NO_NUMBER
            and (one is None or not (one.unit and _um_text(one)) if column == in_um else not _is_number(entry))
        ]
        if unread:
            n = "1 entry" if len(unread) == 1 else f"{len(unread):,} entries"
            why = "cannot be told in µM" if column == in_um else "cannot be taken for a number without a unit"
            sentences.append(
                f"{n} of the column {column!r} {why}, such as {unread[0]!r}: no concentration is taken from there."
            )
    return sentences


def _is_number(entry: str) -> bool:
    try:
        return math.isfinite(float(entry))
    except ValueError:
        return False


def with_concentration(plate_map: pd.DataFrame) -> pd.DataFrame:
    """Add ``concentration_um`` where concentrations can be said in µM; a column of that name stays as it is."""
    if CONCENTRATION_UM in plate_map:
        return plate_map
    found = concentration_um(plate_map)
    return plate_map if found is None else plate_map.assign(**{CONCENTRATION_UM: found})
