"""Settings of measurements: how sets are named, and what is refused."""

import numpy as np
import pytest

from cellvote.errors import SettingsError
from cellvote.profiling import measure_cells
from cellvote.profiling.settings import SET_NAMES, MeasureSettings
from cellvote.settings import parse_assignments, validated


@pytest.mark.parametrize(
    ("given", "sets"),
    [
        ("texture", ("core", "texture")),
        ("correlation, texture,core", ("core", "texture", "correlation")),
        (["neighbours"], ("core", "neighbours")),
        ([], ("core",)),
        ("", ("core",)),
    ],
)
def test_the_core_is_always_measured_and_the_order_makes_no_difference(given: object, sets: tuple[str, ...]) -> None:
    assert validated(MeasureSettings, {"sets": given}).sets == sets


def test_settings_are_read_from_the_command_line() -> None:
    values = parse_assignments(["sets=core,texture", "texture_scales_px=7,3", "exclude-border=true"])
    said = validated(MeasureSettings, values)
    assert (said.sets, said.texture_scales_px, said.exclude_border) == (("core", "texture"), (3, 7), True)


def test_settings_survive_being_saved() -> None:
    said = MeasureSettings(sets=SET_NAMES, texture_scales_px=(3, 5))
    assert validated(MeasureSettings, said.model_dump(mode="json")) == said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sets", "core,textures"),
        ("texture_levels", 1),
        ("texture_levels", 257),
        ("texture_scales_px", []),
        ("texture_scales_px", "0"),
        ("texture_scales_px", "x"),
        ("radial_rings", 1),
        ("neighbour_distance_px", 0),
        ("correlation_threshold", 1),
        ("granularity_subsampling", 0),
        ("ring", 4),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name):
        measure_cells(np.ones((1, 3, 3)), np.ones((3, 3), np.int32), ["DNA"], **{name: value})


@pytest.mark.parametrize("name", SET_NAMES)
def test_a_field_without_cells_has_the_columns_of_every_set(name: str) -> None:
    image = np.random.default_rng(0).integers(1, 99, (2, 24, 24)).astype(np.uint16)
    label_image = np.zeros((24, 24), np.int32)
    none = measure_cells(image, label_image, ["a", "b"], sets=name)
    label_image[5:9, 5:9], label_image[12:19, 3:11] = 1, 2
    some = measure_cells(image, label_image, ["a", "b"], sets=name)
    assert len(none) == 0
    assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_a_set_adds_columns_and_changes_none() -> None:
    image = np.random.default_rng(0).integers(1, 99, (2, 24, 24)).astype(np.uint16)
    label_image = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((8, 8), int)).astype(np.int32)
    core = measure_cells(image, label_image, ["a", "b"])
    every = measure_cells(image, label_image, ["a", "b"], sets=SET_NAMES)
    assert list(every)[: len(core.columns)] == list(core)
    assert every[list(core)].equals(core)
    assert every.columns.is_unique


def test_cells_are_the_same_whatever_lies_beside_them() -> None:
    random = np.random.default_rng(5)
    image = random.integers(1, 4096, (2, 40, 40)).astype(np.uint16)
    label_image = np.zeros((40, 40), np.int32)
    label_image[3:17, 4:18] = 1
    sets = ("texture", "radial_distribution", "correlation")
    alone = measure_cells(image, label_image, ["a", "b"], sets=sets)
    label_image[17:30, 4:30], label_image[2:9, 20:39] = 2, 3
    together = measure_cells(image, label_image, ["a", "b"], sets=sets)
    assert together.iloc[:1].equals(alone)


@pytest.mark.parametrize("exclude", ["exclude_border", "exclude_degenerate"])
def test_flagged_cells_can_be_left_out(exclude: str) -> None:
    label_image = np.zeros((12, 12), np.int32)
    label_image[0:4, 0:4], label_image[6:10, 6:10], label_image[6, 2] = 1, 2, 3
    said = measure_cells(np.ones((1, 12, 12)), label_image, ["a"], **{exclude: True})
    assert said["label_id"].tolist() == ([2, 3] if exclude == "exclude_border" else [1, 2])
    assert said.index.tolist() == [0, 1]
