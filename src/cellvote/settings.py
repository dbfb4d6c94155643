"""Settings models to and from text: ``--set key=value``, forms and saved files all pass through here."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cellvote.errors import SettingsError

M = TypeVar("M", bound=BaseModel)


def settings_error(error: ValidationError, model: type[BaseModel]) -> SettingsError:
    """Say in one sentence which setting is wrong, and what is allowed."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return SettingsError(f"there is no setting {name!r}; there are: {', '.join(model.model_fields)}.")
    message = first["msg"].removeprefix("Value error, ")
    if not name:  # each value may be allowed by itself
        return SettingsError(f"these settings do not go together: {message}.")
    message = message[0].lower() + message[1:]
    return SettingsError(f"the setting {name!r} cannot be {first['input']!r}: {message}.")


def validated(model: type[M], values: Mapping[str, Any]) -> M:
    """Make settings from plain values.

    Raises
    ------
    SettingsError
        Where a name is unknown or a value is not allowed.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise settings_error(error, model) from error


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Read ``["sigma=2", "channels=[1,2]", "model=x"]``: JSON where it is JSON, else text.

    Raises
    ------
    SettingsError
        Where one has no ``=``.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise SettingsError(f"--set {assignment}: write key=value.")
        values[key.strip().replace("-", "_")] = _value(text.strip())
    return values


def _value(text: str) -> Any:
    if text.casefold() in {"", "none", "null", "auto"}:
        return None if text.casefold() != "none" else "none"
    try:
        return json.loads(text)
    except ValueError:
        return {"true": True, "false": False}.get(text.casefold(), text)


def of_result(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the settings that say how fast a step goes: those marked ``changes_result: False``."""
    return {name: value for name, value in values.items() if _changes_result(model, name)}


def _changes_result(model: type[BaseModel], name: str) -> bool:
    extra = model.model_fields[name].json_schema_extra if name in model.model_fields else None
    return not isinstance(extra, dict) or extra.get("changes_result") is not False


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """List what differs between two sets of values: ``sigma 1.0 → 2.0``; empty where nothing does."""
    names = [*old, *(name for name in new if name not in old)]
    return ", ".join(f"{n} {old.get(n)!r} → {new.get(n)!r}" for n in names if old.get(n) != new.get(n))
