"""The audit: nothing stands on both sides of a split."""

import numpy as np
import pandas as pd
import pytest

from cellvote.learning.auditing import describe_leaks, find_leaks
from cellvote.learning.fingerprints import fingerprint
from cellvote.learning.splits import Split


def fields(plates: str, wells: list[str], hashes: str) -> pd.DataFrame:
    return pd.DataFrame({"plate": list(plates), "well": wells, "field": 1, "image_hash": list(hashes)})


FOUR = ["A01", "A02", "A03", "A04"]


def test_a_split_of_different_images_does_not_leak() -> None:
    assert find_leaks(fields("PPPP", FOUR, "abcd"), Split.of_folds(np.array([0, 1, 0, 1]))) == []


def test_the_same_pixels_on_both_sides_are_found_once_and_both_images_named() -> None:
    leaks = find_leaks(fields("PPPP", FOUR, "abca"), Split.of_folds(np.array([0, 1, 0, 1])))
    assert [leak.kind for leak in leaks] == ["same pixels"]
    said = describe_leaks(leaks, "well")
    assert "P/A01 field 1, which is held out, has the same pixels as P/A04 field 1, which is learned from" in said
    assert "Leave one" in said or "held out together" in said


def test_the_same_pixels_on_one_side_are_no_leak() -> None:
    assert find_leaks(fields("PPPP", FOUR, "abac"), Split.of_folds(np.array([0, 1, 0, 1]))) == []


def test_a_plate_under_another_name_is_called_that() -> None:
    table = fields("PPQQ", ["A01", "A02", "A01", "A02"], "abab")
    said = describe_leaks(find_leaks(table, Split.of_folds(np.array([0, 0, 1, 1]))), "plate")
    assert "Plate 'Q' looks like plate 'P' under another name" in said


def test_fields_of_one_well_on_both_sides_are_a_leak() -> None:
    leaks = find_leaks(fields("PPPP", ["A01", "A01", "A02", "A03"], "abcd"), Split.of_folds(np.array([0, 1, 0, 1])))
    assert {leak.kind for leak in leaks} == {"same well"}


def test_what_is_neither_learned_from_nor_tested_meanwhile_does_not_leak() -> None:
    trains = np.array([[False, False, True], [False, False, True], [True, True, False]])
    table = fields("PPP", ["A01", "A02", "A03"], "aab")
    assert find_leaks(table, Split(np.array([0, 1, 2]), trains)) == []


@pytest.mark.parametrize("copy_in", [0, 1])
def test_a_changed_copy_is_found_across_the_split_only(copy_in: int) -> None:
    random = np.random.default_rng(0)
    images = [random.normal(size=(1, 32, 32)).repeat(6, axis=1).repeat(6, axis=2) for _ in range(3)]
    images.append(np.rot90(images[0], 1, (1, 2)) * 3 + 1)
    prints = np.stack([fingerprint(image) for image in images])
    leaks = find_leaks(fields("PPPP", FOUR, "abcd"), Split.of_folds(np.array([0, 1, 1, copy_in])), prints)
    assert [leak.kind for leak in leaks] == ["near-identical"] * copy_in
    if leaks:
        assert {leaks[0].held_out.well, leaks[0].learned.well} == {"A01", "A04"}
        assert leaks[0].to_json()["similarity"] > 0.8
