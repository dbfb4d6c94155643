"""Errors and notices in the words of the docks: they are written for the command line, and a dock has no options."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

COMMAND_DOCKS: Final = {"segment": "Segment", "measure": "Segment", "train": "Train", "predict": "Predict"}
"""In which dock the work of a command is done."""

_SET: Final = re.compile(r"--set (?P<name>\w+)=(?P<value>[^\s,;.]*)")
_RUN: Final = re.compile(r"(?P<begin>Run|Make one with|make one with): cellvote (?P<command>\w+)(?: [^\n]*)?")
_COMMAND: Final = re.compile(r"\bcellvote [a-z]+\b")
_OPTION: Final = re.compile(r"(?<![\w-])--(?P<name>[a-z][a-z-]*)(?:=(?P<value>[^\s,;.]*))?")
_SETTING: Final = re.compile(r"(?P<what>the setting )'(?P<name>\w+)'")
_LEFT_OPEN: Final = frozenset({"", "…", "FOLDER", "NAME", "FILE"})


def in_dock_words(text: str, model: type[BaseModel] | None = None, options: Mapping[str, str] | None = None) -> str:
    """Name the inputs of a dock where a sentence names options of the command line.

    Parameters
    ----------
    text
        Such as ``Choose with --set suffix=…``.
    model
        Settings of the dock's form: *Choose with ‘End of their names’*.
    options
        What the dock calls other options: ``{"name": "‘Name’"}``. Options that it does not have stay as they are.
    """
    titles = {name: field.title or name for name, field in model.model_fields.items()} if model is not None else {}

    def _setting(match: re.Match[str]) -> str:
        title = titles.get(match["name"])
        if title is None:
            return match[0]
        return f"‘{title}’" if match["value"] in _LEFT_OPEN else f"‘{title}’ = {match['value']}"

    def _titled(match: re.Match[str]) -> str:
        return f"{match['what']}‘{titles[match['name']]}’" if match["name"] in titles else match[0]

    def _dock(match: re.Match[str]) -> str:
        dock = COMMAND_DOCKS.get(match["command"])
        return f"Use the {dock} dock." if dock else f"In a terminal: {match[0].partition(': ')[2]}"

    def _option(match: re.Match[str]) -> str:
        return (options or {}).get(match["name"], match[0])

    said = _SETTING.sub(_titled, _SET.sub(_setting, text))
    said = _RUN.sub(_dock, said)
    return said if "In a terminal: " in said or _COMMAND.search(said) else _OPTION.sub(_option, said)
