"""Plates that would have the same name."""

import pytest

from cellvote.plates.layouts.plate_names import tell_apart


@pytest.mark.parametrize(
    ("homes", "names"),
    [
        (["P/2023-02-21/1334", "P/2023-02-21/1400"], ["P 1334", "P 1400"]),
        (["P/2023-02-21/1", "P/2023-02-22/1"], ["P 2023-02-21", "P 2023-02-22"]),
        (["a/P", "b/P"], ["P a", "P b"]),
        (["P_Plate_34", "P_Plate_35"], ["P_Plate_34", "P_Plate_35"]),
        (["", "again"], ["P", "P again"]),
        (["a/1", "a/2", "b/1"], ["P a 1", "P a 2", "P b 1"]),
    ],
)
def test_plates_of_one_name_take_what_differs_in_their_folders(homes: list[str], names: list[str]) -> None:
    assert list(tell_apart(dict.fromkeys(homes, "P")).values()) == names


def test_names_that_differ_stay_as_they_are() -> None:
    assert tell_apart({"a/x": "P", "b/x": "Q"}) == {"a/x": "P", "b/x": "Q"}
