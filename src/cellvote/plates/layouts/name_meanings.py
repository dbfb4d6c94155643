"""What the parts of file names mean: well, field, channel, z and time, told by spelled hints and by what varies.

Whatever stays open is decided in the likeliest way and asked about: a doubtful reading is never silent.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from cellvote.plates.acquisition import Doubt
from cellvote.plates.doubts import MANY_CHANNELS
from cellvote.plates.layouts.name_columns import HINTS, N_SEPARATORS, Column, looks_like_dye, take_apart
from cellvote.plates.layouts.name_wells import DOUBTFUL, LIKELY, WellReading, read_wells

_N_EXAMPLES: Final = 3
_NUMBER: Final = re.compile(r"\d{1,7}")
_CODE: Final = re.compile(r"([A-Za-z]+?)(\d{1,7})")
_LEAST_SHARE: Final = 0.9
_LEAST_DYES: Final = 1 / 3
_SAMPLE: Final = 500
_TIME: Final = re.compile(
    r"(?:\d{4}y\d{1,2}m\d{1,2}d)?(?:\d{1,3}d)?\d{1,2}h\d{1,2}m(?:\d{1,2}s)?|\d{4}y\d{1,2}m\d{1,2}d"
)
_PLATE: Final = re.compile(r"plate|.*[a-z].*\d{3}|\d{5}|.*\d{4}.*_", re.IGNORECASE)
_PLATES: Final = re.compile(r"plate|.*[a-z].*\d|\d{5}", re.IGNORECASE)


@dataclass
class Meanings:
    """What the names of many files tell.

    Attributes
    ----------
    paths
        The files of the most common form.
    others
        Those whose names have another form.
    told
        By meaning (``plate``, ``well``, ``field``, ``channel``, ``z``, ``timepoint``): what each file has, as text.
    sureness
        Of the wells, as in `cellvote.plates.layouts.name_wells`; 0 where none are found.
    in_folders
        How many folders down names are that tell something else than the plate.
    doubts
        What a person should be asked.
    only_dye
        What the one channel is called, where all names hold the same dye and nothing else tells channels.
    rest
        What of the names stays unread and differs between files, as a number for each.
    """

    paths: list[str]
    others: list[str]
    told: dict[str, Column] = field(default_factory=dict)
    sureness: int = 0
    in_folders: set[int] = field(default_factory=set)
    doubts: list[Doubt] = field(default_factory=list)
    only_dye: str = ""
    rest: list[Column] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Which share of the names has the most common form."""
        return len(self.paths) / (len(self.paths) + len(self.others))

    def ask(self, kind: str, question: str, *columns: Column) -> None:
        """Note a doubt, with names as examples in which the columns differ."""
        first = pd.MultiIndex.from_arrays([c.codes for c in columns]).duplicated() if columns else np.zeros(1, bool)
        examples = []
        for i in np.flatnonzero(~first)[:_N_EXAMPLES]:
            read = ", ".join(f"{name} {column.values[column.codes[i]]}" for name, column in self.told.items())
            examples.append(f"{self.paths[i]} is {read}" if read else self.paths[i])
        self.doubts.append(Doubt(kind, question, tuple(examples)))


def read_meanings(paths: Sequence[str], *, wells: bool = True) -> Meanings | None:
    """Read what the names of files tell.

    Parameters
    ----------
    wells
        Whether to give up where no wells are found; else the names are read by spelled hints alone.

    Returns
    -------
    Meanings or None
        None where too few names have one form, or no wells are found in them.
    """
    sample = paths[:: -(-len(paths) // _SAMPLE) or 1]
    separators = _best_separators(sample, wells=wells)
    if separators is None:
        return None
    columns, rows = take_apart(paths, separators)
    chosen = set(rows.tolist())
    found = read_wells(columns) if wells else []
    if wells and not found:
        return None
    meanings = Meanings([paths[i] for i in rows], [path for i, path in enumerate(paths) if i not in chosen])
    _assign(meanings, columns, found)
    return meanings


def _best_separators(sample: Sequence[str], *, wells: bool) -> int | None:
    """Choose what sets the parts apart: the plainest that finds the wells, and gives most names one form."""
    best: tuple[bool, tuple[int, ...], float, int] | None = None
    for separators in range(N_SEPARATORS):
        columns, rows = take_apart(sample, separators)
        share = len(rows) / len(sample)
        found = read_wells(columns) if wells else []
        if wells and not found:
            continue
        rank = (share >= _LEAST_SHARE, found[0].rank[:2] if found else (len(columns),), share, -separators)
        if best is None or rank > best:
            best = rank
    return -best[-1] if best else None


def _assign(meanings: Meanings, columns: list[Column], found: list[WellReading]) -> None:
    left = dict(enumerate(columns))
    if found:
        well = found[0]
        meanings.told["well"], meanings.sureness = well.well, well.sureness
        for place in range(well.places[0], well.places[1] + 1) if len(well.places) > 1 else well.places:
            _take(meanings, left, place)
    _take_hinted(meanings, left, columns, found[0].places[0] if found else 0)
    _take_times(meanings, left)
    _take_dyes(meanings, left)
    _name_plates(meanings, left, found)
    _drop_redundant(meanings, left)
    if not found:
        meanings.rest = [column for column in left.values() if column.varies]
        return
    _ask_about_wells(meanings, left, found)
    _guess(meanings, left)


def _take(meanings: Meanings, left: dict[int, Column], place: int) -> Column:
    column = left.pop(place)
    if column.in_folder:
        meanings.in_folders.add(column.in_folder)
    return column


def _take_hinted(meanings: Meanings, left: dict[int, Column], columns: list[Column], well_at: int) -> None:
    """Take what letters or a word before it explain: ``s1``, ``ch2``, ``Field 3``, ``Channel DAPI``."""
    told = meanings.told
    spelled = {_hint_of(column, "")[0] for column in columns}
    for i in sorted(left):
        column = left[i]
        word = columns[i - 1].values[0] if i and not columns[i - 1].varies else ""
        hint, numbers, said = _hint_of(column, word)
        if hint == "z or field":
            if not column.varies:
                continue
            hint = "plate" if i < well_at else "z" if "field" in spelled and "z" not in spelled else "field"
            meanings.ask("letter p", f"The number after the letter p is read as the {hint}.", column)
        if hint == "sequence" or (hint == "plate" and column.in_folder):  # plates are named after the whole folder
            del left[i]
        elif hint and hint not in told and hint not in {"well", "row", "column"}:
            if hint == "channel" and _dyes_instead(column, left):
                continue
            if hint in {"channel", "plate"}:
                told[hint] = _written(column, said)
            elif numbers is not None:
                told[hint] = _written(column, numbers)
            else:
                continue
            _take(meanings, left, i)


def _dyes_instead(column: Column, left: Mapping[int, Column]) -> bool:
    """Whether names tell channels by dyes, and what looks like a channel's number (``D3``) differs otherwise."""
    dyes = [one for one in left.values() if one.varies and all(map(looks_like_dye, one.values))]
    return any(not (dye.follows_from(column) and column.follows_from(dye)) for dye in dyes)


def _hint_of(column: Column, word: str) -> tuple[str, list[str] | None, list[str]]:
    """Find the meaning that is spelled out at a place, the numbers there, and what a channel would be called."""
    values = list(column.values)
    hint = HINTS.get(word.casefold(), "") if len(word) > 1 or all(map(_NUMBER.fullmatch, values)) else ""
    if all(map(_NUMBER.fullmatch, values)):
        return hint, values, [f"{word}{value}" for value in values]
    codes = [_CODE.fullmatch(value) for value in values]
    letters = {code[1].casefold() for code in codes if code}
    if all(codes) and len(letters) == 1 and HINTS.get(next(iter(letters))):
        return HINTS[next(iter(letters))], [code[2] for code in codes if code], values
    return (hint if hint == "channel" else ""), None, values


def _written(column: Column, texts: list[str]) -> Column:
    return Column(tuple(texts), column.codes, column.token, column.in_folder)


def _take_times(meanings: Meanings, left: dict[int, Column]) -> None:
    """Number timepoints that are written out, as ``00d02h30m`` or ``2019y12m27d_13h00m``."""
    told = meanings.told
    places = [i for i, column in left.items() if all(map(_TIME.fullmatch, column.values))]
    times = [left[i] for i in places]
    if "well" not in told or "timepoint" in told or not any(column.varies for column in times):
        return
    codes, keys = pd.MultiIndex.from_arrays([column.texts for column in times]).factorize()
    written = [tuple(int(number) for text in key for number in re.findall(r"\d+", text)) for key in keys]
    order = {time: n for n, time in enumerate(sorted(set(written)), start=1)}
    column = Column(tuple(str(order[time]) for time in written), codes, times[0].token, 0)
    if column.follows_from(*(told[name] for name in ("plate", "well") if name in told)):
        return  # when each well was imaged
    told["timepoint"] = column
    for place in places:
        _take(meanings, left, place)


def _take_dyes(meanings: Meanings, left: dict[int, Column]) -> None:
    """Take the place where dyes stand for the channel, or for its name where a number tells the channel."""
    same = [c.values[0] for c in left.values() if not c.varies and not c.in_folder and looks_like_dye(c.values[0])]
    dyes = []
    for i, column in left.items():
        share = sum(map(looks_like_dye, column.values)) / len(column.values)
        if column.varies and (share == 1 or (share > _LEAST_DYES and not column.in_folder)):
            dyes.append(i)
    numbered = meanings.told.get("channel")
    if not dyes and numbered is None and len(same) == 1:
        meanings.only_dye = same[0]
    for i in dyes:
        if numbered is None:
            meanings.told["channel"] = _take(meanings, left, i)
            return
        if left[i].follows_from(numbered) and numbered.follows_from(left[i]):
            meanings.told["channel"] = _take(meanings, left, i)
            return


def _name_plates(meanings: Meanings, left: dict[int, Column], found: list[WellReading]) -> None:
    """Take what stands before the well, and is not of the well, for the plate; folders are named elsewhere."""
    if not found or "plate" in meanings.told:
        return
    well = found[0]
    before = [
        (i, column)
        for i, column in left.items()
        if i < well.places[0] and not column.in_folder and not well.well.in_folder
    ]
    for i, column in before:
        named = all(map(_PLATES.match, column.values)) or ("channel" in meanings.told and not _is_number(column))
        if column.varies and named and not column.follows_from(well.well):
            meanings.told["plate"] = _take(meanings, left, i)
            return
    fixed = [column.values[0] for _, column in before if not column.varies]
    one_folder = len({path.rpartition("/")[0] for path in meanings.paths}) == 1
    name = "_".join(fixed)
    if one_folder and _PLATE.match(name):
        meanings.told["plate"] = Column((name,), np.zeros(len(meanings.paths), np.intp), 0, 0)


def _drop_redundant(meanings: Meanings, left: dict[int, Column]) -> None:
    """Drop what says again what is known: a running number of wells, a treatment, a second name of the channel."""
    told = meanings.told
    keys = [told[name] for name in ("plate", "well") if name in told]
    for i, column in list(left.items()):
        if not column.varies:
            continue
        of_well = bool(keys) and column.follows_from(*keys)
        if of_well and "channel" not in told and not _is_number(column) and not column.in_folder:
            meanings.ask(
                "note on the well",
                f"What differs in the names besides the well ({_few(column.values)}) is always the same in one well: "
                "it is taken for a note on the well, and left out. Where it is a channel, give --pattern.",
                column,
            )
        folders = column.in_folder and column.in_folder not in meanings.in_folders
        if of_well or folders or ("channel" in told and column.follows_from(told["channel"])):
            del left[i]


def _is_number(column: Column) -> bool:
    return all(map(_NUMBER.fullmatch, column.values))


def _ask_about_wells(meanings: Meanings, left: dict[int, Column], found: list[WellReading]) -> None:
    best = found[0]
    if best.sureness == DOUBTFUL:
        meanings.ask(
            "well or field",
            "What is read as the well may be a field, a channel or a running number. Where it is, give --pattern.",
            best.well,
        )
    for other in found[1:]:
        if other.sureness >= LIKELY and any(place in left and left[place].varies for place in other.places):
            meanings.ask(
                "two wells",
                "The names hold two parts that look like wells: the one is read as the well, and what differs in the "
                "other is numbered as fields. Where that is wrong, give --pattern.",
                best.well,
                other.well,
            )
            return


def _guess(meanings: Meanings, left: dict[int, Column]) -> None:
    """Decide what no hint explains, by what the names do not tell otherwise."""
    told = meanings.told
    open_ = {i: column for i, column in left.items() if column.varies}
    for i in [i for i, column in open_.items() if not _is_number(column)]:
        if "channel" not in told and _may_be_channel(open_[i]):
            told["channel"] = open_.pop(i)
            meanings.ask(
                "channel names",
                f"{_few(told['channel'].values)} are read as channels, though no dye is called so. Where they are not, "
                "give --pattern.",
                told["channel"],
            )
    numbers = [i for i, column in open_.items() if _is_number(column)]
    if len(numbers) == 1 and "field" not in told:
        told["field"] = open_.pop(numbers[0])
        if "channel" not in told:
            meanings.ask(
                "field or channel",
                f"The numbers {_few(told['field'].values)} are read as fields; they may be channels, z-planes or "
                "timepoints. Where they are, give --pattern.",
                told["field"],
            )
    elif numbers:
        for i in numbers:
            free = [name for name in ("field", "channel", "z", "timepoint") if name not in told]
            free = [name for name in free if name != "channel" or len(open_[i].values) <= MANY_CHANNELS]
            if free:
                told[free[0]] = open_.pop(i)
        meanings.ask(
            "unnamed numbers",
            "The names hold numbers without a letter that says what they count. Where they are read wrong, give "
            "--pattern.",
            *(told[name] for name in ("field", "channel", "z", "timepoint") if name in told),
        )
    if open_:
        _number_the_rest(meanings, list(open_.values()))


def _may_be_channel(column: Column) -> bool:
    short = all(len(value) <= 20 for value in column.values)
    return short and len(column.values) <= MANY_CHANNELS and not all(map(_CODE.fullmatch, column.values))


def _number_the_rest(meanings: Meanings, rest: Iterable[Column]) -> None:
    """Number what is not understood as fields: no file is thrown away, none taken for another."""
    parts = [*rest]
    if "field" in meanings.told:
        parts.append(meanings.told["field"])
    codes, _ = pd.MultiIndex.from_arrays([part.codes for part in parts]).factorize(sort=True)
    numbers = tuple(str(number + 1) for number in range(int(codes.max()) + 1))
    meanings.told["field"] = Column(numbers, codes, parts[0].token, 0)
    if not any(doubt.kind == "two wells" for doubt in meanings.doubts):
        meanings.ask(
            "unread part",
            f"A part of the names is not understood ({_few(parts[0].values)}): what differs there is numbered as "
            "fields. Where that is wrong, give --pattern.",
            *parts,
        )


def _few(values: Sequence[str]) -> str:
    return ", ".join(values[:3]) + (" …" if len(values) > 3 else "")
