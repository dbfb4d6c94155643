"""What the pattern builder says of a pattern: counts, doubles, and where it is wrong; no Qt."""

from html import escape
from typing import Final

from cellvote.plates.patterns import NO_MATCH, TWICE, UNREADABLE, NamesRead

_KINDS: Final = {
    "plates": ("plate", "plates"),
    "wells": ("well", "wells"),
    "fields": ("field", "fields"),
    "channels": ("channel", "channels"),
    "z": ("z-plane", "z-planes"),
    "timepoints": ("time point", "time points"),
}
_AROUND: Final = 24
_LONG: Final = 70


def count_words(read: NamesRead) -> str:
    """Say how many names fit, and what they give: ``96 of 98 names fit · 48 wells · 2 channels``."""
    total = len(read.state)
    fitting = total - read.number_of(NO_MATCH)
    parts = [f"<b>{fitting:,} of {total:,}</b> names fit"]
    for kind, (one, many) in _KINDS.items():
        n = read.counts.get(kind, 0)
        if kind == "channels" and "channel" not in read.roles:
            parts.append("channels from the pages of each file")
        elif n > 1 or kind in {"plates", "wells"}:
            parts.append(f"{n:,} {one if n == 1 else many}")
    return " · ".join(parts)


def twice_words(read: NamesRead, names: list[str]) -> str:
    """Say what keeps a pattern from being used; empty where nothing does."""
    unreadable, twice = read.number_of(UNREADABLE), read.number_of(TWICE)
    if unreadable:
        name = names[read.state.index(UNREADABLE)]
        return f"{unreadable:,} name(s) fit but give no well or number, such as {_short(name)}: mark other parts."
    if twice:
        first = read.state.index(TWICE)
        return (
            f"{twice:,} names read as the same image as another, such as {_short(names[first])} and "
            f"{_short(names[read.partner[first]])}: mark what tells them apart."
        )
    if read.number_of(NO_MATCH) == len(read.state):
        return "No name fits: mark the parts anew, or choose another example."
    return ""


def _short(name: str) -> str:
    return name if len(name) <= _LONG else f"…{name[-_LONG:]}"


def marked_position(pattern: str, position: int | None) -> str:
    """Show, as HTML, the part of a pattern around a position, that character underlined."""
    if position is None or not pattern:
        return ""
    start = max(position - _AROUND, 0)
    before, at, after = pattern[start:position], pattern[position : position + 1], pattern[position + 1 :][:_AROUND]
    at = f"<span style='background:#ff8a80; color:#15181d;'>{escape(at or '▯')}</span>"
    return f"&nbsp; <code>{'…' if start else ''}{escape(before)}{at}{escape(after)}</code>"
