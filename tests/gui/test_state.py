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
