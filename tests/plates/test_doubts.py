"""Readings that a person is asked about."""

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from cellvote.plates.acquisition import Acquisition, Doubt, plane_table
from cellvote.plates.doubts import doubts_of


def acquisition_of(rows: list[tuple[str, str, int, int]], n_channels: int) -> Acquisition:
    """Make an acquisition of files, each with its plate, well, field and channel."""
    table = pd.DataFrame(rows, columns=["plate", "well", "field", "channel"])
    table["path"] = [f"{p}/{w}_s{f}_w{c}.tif" for p, w, f, c in rows]
    channels = tuple(f"w{c}" for c in range(n_channels))
    return Acquisition(Path("/images"), "test", plane_table(table), channels)


def asked(acquisition: Acquisition) -> list[str]:
    return [doubt.kind for doubt in doubts_of(acquisition)]


def test_an_ordinary_plate_raises_no_doubt() -> None:
    rows = list(product(["P"], ["A01", "A02", "B01"], [1, 2], [0, 1]))
    assert asked(acquisition_of(rows, 2)) == []


def test_many_files_in_one_well_are_doubtful_and_examples_show_how_they_are_read() -> None:
    (doubt,) = doubts_of(acquisition_of(list(product(["P"], ["A01"], range(1, 97), [0])), 1))
    assert doubt.kind == "one well"
    assert "All 96 files are read as one well, A01." in doubt.question
    assert doubt.examples[0] == "P/A01_s1_w0.tif is well A01, field 1, channel w0"
    assert str(doubt).endswith("channel w0.")


def test_the_same_well_in_every_plate_is_doubtful() -> None:
    rows = list(product(["P1", "P2", "P3"], ["A01"], range(1, 10), [0]))
    (doubt,) = doubts_of(acquisition_of(rows, 1))
    assert "one well, A01 of each of 3 plates" in doubt.question


@pytest.mark.parametrize("n_fields", [1, 4])
def test_a_few_fields_of_one_well_are_not_doubtful(n_fields: int) -> None:
    assert asked(acquisition_of(list(product(["P"], ["A01"], range(1, n_fields + 1), [0, 1])), 2)) == []


def test_images_without_wells_are_not_all_in_one_well() -> None:
    assert asked(acquisition_of(list(product(["P"], [""], range(1, 500), [0])), 1)) == []


def test_more_than_eight_channels_are_doubtful() -> None:
    assert asked(acquisition_of(list(product(["P"], ["A01", "A02"], [1], range(8))), 8)) == []
    assert asked(acquisition_of(list(product(["P"], ["A01", "A02"], [1], range(9))), 9)) == ["many channels"]


def test_wells_with_another_number_of_channels_are_doubtful() -> None:
    rows = [*product(["P"], ["A01", "A02", "A03"], [1], [0, 1]), ("P", "B01", 1, 0)]
    (doubt,) = doubts_of(acquisition_of(rows, 2))
    assert doubt.kind == "ragged channels"
    assert "1 of 4 wells" in doubt.question
    assert "B01" in doubt.examples[0]


def test_a_doubt_without_examples_is_its_question() -> None:
    assert str(Doubt("kind", "Is it?")) == "Is it?"
