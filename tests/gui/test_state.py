"""What a window looks at, without a window."""

import pytest

from cellvote.gui.state import State
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study


@pytest.fixture
def state(small_study: Study) -> State:
    made = State()
    made.show_study(small_study)
    return made


def test_opening_a_study_shows_its_first_field_and_its_results(state: State, small_study: Study) -> None:
    assert state.key == small_study.fields[0]
    assert (state.segmentation, state.model) == ("watershed", "model")
    assert state.plate == "plate"
    assert not state.several_plates


def test_every_change_is_told_once(state: State) -> None:
    told = []
    state.events.key.connect(told.append)
    state.choose_well("plate", "B02")
    state.choose_well("plate", "B02")
    assert told == [FieldKey("plate", "B02", 1)]


def test_a_well_without_images_cannot_be_chosen(state: State) -> None:
    before = state.key
    assert not state.choose_well("plate", "B03")
    assert state.key == before


@pytest.mark.parametrize(
    ("start", "move", "end"),
    [
        ("A01", (0, 1), "A02"),
        ("A01", (1, 0), "B01"),
        ("A01", (0, -1), "A01"),
        ("A03", (1, 0), "A03"),  # B03 has no images, and there is nothing below it
        ("B02", (0, 1), "B02"),
    ],
)
def test_arrow_keys_walk_the_imaged_wells(state: State, start: str, move: tuple[int, int], end: str) -> None:
    state.choose_well("plate", start)
    state.move(*move)
    assert state.key.well == end


def test_field_steps_go_on_into_the_next_well_and_stop_at_the_last(state: State, small_study: Study) -> None:
    state.step_field(1)
    assert state.key == small_study.fields[1]
    state.step_field(100)
    assert state.key == small_study.fields[-1]
    state.step_field(-100)
    assert state.key == small_study.fields[0]


def test_a_study_without_results_shows_images_alone(bare_study: Study) -> None:
    state = State()
    state.show_study(bare_study)
    assert (state.segmentation, state.model) == ("", "")
    assert state.key == bare_study.fields[0]


def test_new_results_are_looked_at_and_told(state: State, small_study: Study) -> None:
    told = []
    state.events.revision.connect(told.append)
    small_study.predictions_folder("model").rename(small_study.predictions_folder("other"))
    state.results_written(model="other")
    assert state.model == "other"
    assert told == [1]


def test_fields_that_a_well_does_not_have_are_not_chosen(study: Study) -> None:
    state = State()
    state.show_study(study)
    state.choose_field(2)
    assert state.key.field == 2
    state.choose_field(77)
    assert state.key.field == 2
    state.move(0, 1)
    assert state.key.field == 2, "another well is shown at the same field"


def chosen(state: State) -> str:
    return " ".join(sorted(well for _, well in state.selection))


def test_what_is_shown_is_always_chosen(state: State) -> None:
    assert chosen(state) == "A01"
    state.choose_well("plate", "B02")
    assert chosen(state) == "B02"
    state.step_field(-1)
    assert chosen(state) == "B01"
    state.key = FieldKey("plate", "A03", 1)
    assert chosen(state) == "A03"


def test_a_box_holds_the_imaged_wells_between_its_corners(state: State) -> None:
    state.choose_box("", "B03")
    assert chosen(state) == "A01 A02 A03 B01 B02", "B03 has no images"
    assert state.key.well == "A01", "the first stays in view"
    state.choose_box("", "A02")
    assert chosen(state) == "A01 A02", "the box is drawn anew from the same corner"
    state.choose_box("B02", "A03")
    assert chosen(state) == "A02 A03 B02"
    assert state.key.well == "B02"


def test_a_box_without_images_changes_nothing(state: State) -> None:
    state.choose_box("B03", "B03")
    assert (chosen(state), state.key.well) == ("A01", "A01")


def test_shift_and_arrows_move_the_last_corner(state: State) -> None:
    state.extend(0, 1)
    assert chosen(state) == "A01 A02"
    state.extend(1, 0)
    assert chosen(state) == "A01 A02 B01 B02"
    state.extend(0, -1)
    assert chosen(state) == "A01 B01"
    state.extend(-5, -5)
    assert chosen(state) == "A01"


def test_wells_are_added_and_left_out_one_by_one(state: State) -> None:
    state.toggle_well("B02")
    assert (chosen(state), state.key.well) == ("A01 B02", "B02")
    state.toggle_well("B02")
    assert (chosen(state), state.key.well) == ("A01", "A01"), "what is left out is not shown any more"
    state.toggle_well("A01")
    assert chosen(state) == "A01", "the last one stays"
    state.toggle_well("B03")
    assert chosen(state) == "A01"


def test_all_wells_can_be_chosen_and_a_click_chooses_one_again(state: State) -> None:
    state.choose_all_wells()
    assert chosen(state) == "A01 A02 A03 B01 B02"
    state.choose_well("plate", "A02")
    assert chosen(state) == "A02"


def test_the_well_is_remembered_from_plate_to_plate(state: State, small_study: Study) -> None:
    import pandas as pd

    study = Study.open(small_study.path)
    planes = study.planes
    second, third = planes[planes["well"] == "A01"].assign(plate="q"), planes.assign(plate="r")
    study.planes = pd.concat([planes, second, third], ignore_index=True)
    state.show_study(study, FieldKey("plate", "B02", 1))
    state.step_plate(1)
    assert state.key == FieldKey("q", "A01", 1), "this plate has no B02"
    state.step_plate(1)
    assert state.key == FieldKey("r", "B02", 1)
    assert state.selection == {("r", "B02")}
    state.step_plate(1)
    assert state.plate == "r"
    state.step_plate(-5)
    assert state.plate == "plate"
