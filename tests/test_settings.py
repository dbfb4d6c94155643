"""Settings to and from text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from cellvote.errors import CancelledError, SettingsError
from cellvote.progress import CancelToken, Progress, ignore_progress
from cellvote.settings import changed, parse_assignments, validated


class Baking(BaseModel, frozen=True, extra="forbid"):
    heat_c: float = Field(180.0, gt=0, le=300)
    rack: str = ""
    turns: tuple[int, ...] = ()
    fan: bool = False
    minutes: int | None = None


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("heat_c=200", {"heat_c": 200}),
        ("heat_c=2e2", {"heat_c": 200.0}),
        (" heat-c = 200 ", {"heat_c": 200}),
        ("turns=[1,2]", {"turns": [1, 2]}),
        ("fan=true", {"fan": True}),
        ("fan=True", {"fan": True}),
        ("fan=FALSE", {"fan": False}),
        ("minutes=", {"minutes": None}),
        ("minutes=null", {"minutes": None}),
        ("minutes=auto", {"minutes": None}),
        ("rack=none", {"rack": "none"}),
        ("rack=the middle", {"rack": "the middle"}),
        ("rack=a=b", {"rack": "a=b"}),
        ('rack="7"', {"rack": "7"}),
        ("rack=007", {"rack": "007"}),
    ],
)
def test_an_assignment_is_read(assignment: str, expected: dict[str, Any]) -> None:
    assert parse_assignments([assignment]) == expected


def test_a_later_assignment_wins() -> None:
    assert parse_assignments(["fan=true", "heat_c=1", "fan=false"]) == {"fan": False, "heat_c": 1}


@pytest.mark.parametrize("assignment", ["fan", "=true", " =1", ""])
def test_an_assignment_without_a_key_or_a_value_is_refused(assignment: str) -> None:
    with pytest.raises(SettingsError, match="write key=value"):
        parse_assignments([assignment])


@given(st.text(max_size=20))
def test_any_text_is_an_assignment_or_is_refused(text: str) -> None:
    try:
        values = parse_assignments([text])
    except SettingsError:
        assert "=" not in text or not text.partition("=")[0].strip()
        return
    assert len(values) == 1


def test_settings_are_made_from_what_was_read() -> None:
    values = parse_assignments(["heat-c=200", "turns=[1,2]", "fan=true"])
    assert validated(Baking, values) == Baking(heat_c=200, turns=(1, 2), fan=True)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"heat": 1}, "there is no setting 'heat'; there are: heat_c, rack, turns, fan, minutes."),
        ({"heat_c": 0}, "the setting 'heat_c' cannot be 0: input should be greater than 0."),
        ({"heat_c": 301}, "the setting 'heat_c' cannot be 301: input should be less than or equal to 300."),
        ({"heat_c": "hot"}, "the setting 'heat_c' cannot be 'hot'"),
        ({"heat_c": float("nan")}, "the setting 'heat_c' cannot be nan"),
        ({"turns": [1, "x"]}, "the setting 'turns.1' cannot be 'x'"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        validated(Baking, values)
    assert complaint in str(caught.value)


def test_what_differs_between_two_settings_is_listed() -> None:
    assert changed({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": "x"}) == "b 2 → 3, c None → 'x'"
    assert changed({"a": 1}, {"a": 1.0}) == ""


def test_a_token_stops_whoever_asks_it_after_cancelling() -> None:
    token = CancelToken()
    token.raise_if_cancelled()
    assert not token.cancelled
    token.cancel()
    assert token.cancelled
    with pytest.raises(CancelledError):
        token.raise_if_cancelled()


def test_a_progress_that_nobody_watches_is_passed_over() -> None:
    progress = Progress(1, 2, "P/A01 field 1")
    ignore_progress(progress)
    assert progress == Progress(1, 2, "P/A01 field 1", "")
