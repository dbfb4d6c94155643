"""A pattern made of the parts that somebody marked in one file name, and fitted to the other names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from cellvote.plates.patterns import match_name

Span = tuple[int, int]
Marks = Mapping[str, Span]
"""Role to its first and last (exclusive) character in the example."""

N_FITTED: Final = 120
"""How many names a pattern is fitted to: a part that varies does so among these, and it takes a moment."""

_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_RUN: Final = re.compile(r"([^\W\d_]+)|([0-9]+)|(.)", re.DOTALL)
_SPECIAL: Final = re.compile(r"([.^$*+?{}\[\]\\|()])")
_MAX_EDITS: Final = 8
_GOLDEN: Final = (5**0.5 - 1) / 2


class Token(NamedTuple):
    """A run of letters or of digits, a GUID, or one other character."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """One past its last character."""
        return self.start + len(self.text)


@lru_cache(maxsize=20_000)
def tokens_of(name: str) -> tuple[Token, ...]:
    """Split a name into its runs of letters, runs of digits, GUIDs and other characters."""
    found: list[Token] = []
    at = 0
    for guid in (*_GUID.finditer(name), None):
        end = guid.start() if guid else len(name)
        for run in _RUN.finditer(name, at, end):
            kind = "letters" if run[1] else "digits" if run[2] else run[0]
            found.append(Token(kind, run[0], run.start()))
        if guid:
            found.append(Token("guid", guid[0], guid.start()))
            at = guid.end()
    return tuple(found)


def shape_of(name: str) -> tuple[str, ...]:
    """The kinds of the tokens of a name: names of one shape can be laid on one another."""
    return tuple(token.kind for token in tokens_of(name))


def spread(names: Sequence[str], n: int) -> list[str]:
    """Take about ``n`` names: half in a row, which differ in little, half from all over, in no step of their own.

    Every so manyth name would see one channel only where there are as many channels.
    """
    if len(names) <= n:
        return list(names)
    scattered = {int(k * _GOLDEN % 1 * len(names)) for k in range(n // 2)}
    return [names[i] for i in sorted(scattered | set(range(n // 2)))]


def without_thumbnails(names: Sequence[str]) -> list[str]:
    """Leave out the small copies that some microscopes put beside their images, where there is anything else."""
    return [name for name in names if "thumb" not in name.casefold()] or list(names)


def literal(text: str) -> str:
    """Write a text as a pattern that fits it alone."""
    return _SPECIAL.sub(r"\\\1", text)


@dataclass(frozen=True)
class _Piece:
    """A part of the pattern, with what it may be widened to, from narrow to wide.

    ``folder`` tells which part of the path it stands in, counted from 0; a slash belongs to the part before it.
    """

    options: tuple[str, ...]
    role: str
    folder: int
    chosen: int = 0

    @property
    def text(self) -> str:
        inner = self.options[self.chosen]
        return f"(?P<{self.role}>{inner})" if self.role else inner


@dataclass(frozen=True)
class _Draft:
    """A pattern being made: its pieces, and the folders that a name may lack."""

    pieces: tuple[_Piece, ...]
    optional: frozenset[int] = field(default_factory=frozenset)

    def text(self) -> str:
        parts: dict[int, str] = {}
        for piece in self.pieces:
            parts[piece.folder] = parts.get(piece.folder, "") + piece.text
        return "".join(f"(?:{part})?" if number in self.optional else part for number, part in parts.items())

    def edits(self) -> Iterable["_Draft"]:
        """Every draft that is one step wider."""
        for i, piece in enumerate(self.pieces):
            for chosen in range(piece.chosen + 1, len(piece.options)):
                wider = (*self.pieces[:i], replace(piece, chosen=chosen), *self.pieces[i + 1 :])
                yield replace(self, pieces=wider)
        last = max((piece.folder for piece in self.pieces), default=0)
        for number in range(last):
            if number not in self.optional:
                yield replace(self, optional=self.optional | {number})


def pattern_of_marks(example: str, marks: Marks, names: Sequence[str]) -> str:
    r"""Make a pattern of the marked parts of one name, wide enough for as many of the others as it safely can be.

    What stands between the marks stays as it is where it is the same in all names; numbers that vary become ``\d+``,
    and so on. It is never widened so far that two files which were told apart read as one.

    Parameters
    ----------
    example
        A path below the folder of the images.
    marks
        The parts of it, by role; they may not overlap.
    names
        Other such paths.
    """
    others = without_thumbnails(names) if len(names) <= 2 * N_FITTED else spread(without_thumbnails(names), N_FITTED)
    start = 0 if any(a < example.rfind("/") + 1 for a, _ in marks.values()) else example.rfind("/") + 1
    cut = [name[name.rfind("/") + 1 :] if start else name for name in others]
    shifted = {role: (a - start, b - start) for role, (a, b) in marks.items()}
    draft = _Draft(tuple(_pieces(example[start:], shifted, cut)))
    return _widened(draft, others).text()


def _pieces(example: str, marks: Marks, names: Sequence[str]) -> Iterable[_Piece]:
    tokens = tokens_of(example)
    aligned = [tokens_of(name) for name in names if shape_of(name) == shape_of(example)]
    columns = [{row[i].text for row in aligned} | {token.text} for i, token in enumerate(tokens)]
    bounds = sorted({0, len(example), *(at for span in marks.values() for at in span), *_ends_of_folders(example)})
    roles = {span: role for role, span in marks.items()}
    for span in pairwise(bounds):
        inside = [
            _part(token, span, values)
            for token, values in zip(tokens, columns, strict=True)
            if token.start < span[1] and token.end > span[0]
        ]
        role = roles.get(span, "")
        yield _Piece(_options(inside, role, example[span[1] :]), role, example.count("/", 0, span[0]))


def _ends_of_folders(example: str) -> list[int]:
    return [at + 1 for at, character in enumerate(example) if character == "/"]


class _Part(NamedTuple):
    """A token, or what a mark cut out of one, and what other names have in its place."""

    kind: str
    text: str
    values: frozenset[str]
    cut: bool


def _part(token: Token, span: Span, values: set[str]) -> _Part:
    a, b = max(span[0] - token.start, 0), min(span[1], token.end) - token.start
    to_end = b == len(token.text)
    return _Part(
        token.kind,
        token.text[a:b],
        frozenset(value[a:] if to_end else value[a:b] for value in values),
        (a, b) != (0, len(token.text)),
    )


def _options(parts: Sequence[_Part], role: str, after: str) -> tuple[str, ...]:
    exact = "".join(_fitting(part, general=bool(role)) for part in parts)
    general = "".join(_fitting(part, general=True) for part in parts)
    stop = after[:1] if after[:1] and not after[:1].isalnum() else ""
    ends = "/" + ("" if any(part.text == "_" for part in parts) else "_") + stop
    within = f"[^{literal(''.join(dict.fromkeys(ends)))}]"
    if role == "plate" and stop == "/":
        return (r"[^/]+",)
    if role in {"channel", "plate"}:
        return tuple(dict.fromkeys((exact, f"{within}+" if stop else "[A-Za-z0-9]+?")))
    if role:
        return (exact,)
    slash = "/" if parts and parts[-1].text == "/" else ""
    return tuple(dict.fromkeys((exact, general, f"[^/]*?{slash}")))


def _fitting(part: _Part, *, general: bool) -> str:
    """Write what fits a part and its likes in other names."""
    varies = len(part.values) > 1
    if not (varies or (general and part.kind in {"letters", "digits", "guid"})):
        return literal(part.text)
    if part.kind == "guid":
        return "[0-9A-Fa-f-]{36}" if not part.cut else "[0-9A-Fa-f-]+"
    kind = r"\d" if part.kind == "digits" else "[A-Za-z]" if part.text.isascii() else r"[^\W\d_]"
    lengths = {len(value) for value in part.values}
    return f"{kind}{{{len(part.text)}}}" if part.cut and len(lengths) == 1 else f"{kind}+"


def _widened(draft: _Draft, names: Sequence[str]) -> _Draft:
    """Widen a pattern, step by step, while that lets it fit more names and mixes up none."""
    best, (n_fitted, n_mixed) = draft, fit(draft.text(), names)
    for _ in range(_MAX_EDITS):
        if n_fitted == len(names):
            break
        tried = [(fit(wider.text(), names), -i, wider) for i, wider in enumerate(best.edits())]
        sound = [one for one in tried if one[0][0] > n_fitted and (one[0][1] == 0 or n_mixed > 0)]
        if not sound:
            break
        (n_fitted, n_mixed), _, best = max(sound, key=lambda one: (one[0][0] - 2 * one[0][1], one[1]))
    return best


def fit(pattern: str, names: Sequence[str]) -> tuple[int, int]:
    """How many names a pattern fits, and how many of these it cannot tell from another."""
    compiled = re.compile(pattern)
    fitted = [key for name in names if (key := key_of(compiled, name)) is not None]
    return len(fitted), len(fitted) - len(set(fitted))


def key_of(pattern: re.Pattern[str], name: str) -> tuple[str, ...] | None:
    """What a pattern tells of a name, so that names that read as one have the same; None where it does not fit."""
    found = match_name(pattern, name)
    if found is None:
        return None
    match, start = found
    return (*(_as_read(role, match[role]) for role in pattern.groupindex), name[:start])


def _as_read(role: str, text: str | None) -> str:
    """Write numbers without zeros before them; what is missing is the first."""
    if role in {"channel", "plate", "well"} or (text and not text.isdecimal()):
        return text or ""
    return str(int(text or 1))
