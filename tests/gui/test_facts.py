"""What the plate view tells, in colours and in words, without a window."""

from pathlib import Path

import pytest
from tests.gui.conftest import study_of_images, write_field_predictions, write_masks, write_predictions

from cellvote.gui.colours import CLASS_COLOURS, RIGHT_COLOUR, WRONG_COLOUR
from cellvote.gui.facts import PlateFacts, read_facts
from cellvote.gui.field_content import read_content
from cellvote.gui.image_list import listed_images
from cellvote.gui.plate_colouring import colour_plate
from cellvote.gui.plate_columns import (
    AGREEMENT,
    CELLS,
    CORRECT,
    MAP,
    MARGIN,
    SET_SIZE,
    SHARE_OF,
    VOTE,
    VOTE_SHARE,
    colourings,
    plate_column,
)
from cellvote.gui.predicted import Vote
from cellvote.gui.vote_text import field_text, image_text, number, set_words, truth_words, vote_words, well_tooltip
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table
from cellvote.voting.vote import NO_VOTE, TIE, UNDECIDED

A01, A02, A03, B03 = (("plate", well) for well in ("A01", "A02", "A03", "B03"))


@pytest.fixture
def facts(small_study: Study) -> PlateFacts:
    return read_facts(small_study, "watershed", "model")


def test_facts_hold_what_the_study_says(facts: PlateFacts) -> None:
    assert {"drug": "taxol", "dose": "10"}.items() <= facts.wells[A02].items()
    assert facts.treatments[A02] == "taxol 10"
    assert (facts.n_fields[A02], facts.segmented[A02]) == (1, 1)
    assert facts.n_cells[A01] == 4
    assert B03 not in facts.imaged
    assert facts.predicted.classes == ("DMSO", "taxol")
    assert facts.predicted.truth[A01] == "DMSO"
    assert A03 not in facts.predicted.truth
    assert facts.predicted.vote_settings.min_cells == 2
    assert facts.predicted.cells_of(FieldKey("plate", "A01", 1))["class"].tolist() == ["DMSO"] * 3 + ["taxol"]


def test_predictions_on_cells_that_were_measured_anew_are_not_shown(small_study: Study) -> None:
    path = small_study.cells_path("watershed")
    write_table(path, read_table(path).iloc[:-1])
    facts = read_facts(small_study, "watershed", "model")
    assert facts.predicted is None
    assert "measured anew" in facts.problem


def test_a_failed_field_is_neither_zero_nor_missing(bare_study: Study) -> None:
    write_masks(bare_study, failed={FieldKey("plate", "A01", 1): "the file is truncated"})
    facts = read_facts(bare_study, "watershed")
    coloured = colour_plate(facts, "plate", CELLS)
    assert coloured.wells["A01"].mark == "failed"
    assert not coloured.wells["A01"].colour
    assert A01 not in facts.n_cells
    assert "the file is truncated" in well_tooltip(A01, facts, 1)


def test_a_well_without_images_looks_missing_whatever_it_is_coloured_by(facts: PlateFacts) -> None:
    for by in colourings(facts):
        assert colour_plate(facts, "plate", by).wells["B03"].mark == "missing"


def test_votes_colour_wells_by_class_and_ties_have_no_class(facts: PlateFacts) -> None:
    wells = colour_plate(facts, "plate", VOTE).wells
    assert wells["A01"].colour == wells["B01"].colour == CLASS_COLOURS[0]
    assert wells["A02"].colour == CLASS_COLOURS[1]
    assert (wells["A03"].colour, wells["A03"].mark) == ("", "tie")


def test_a_surer_vote_has_a_stronger_colour(facts: PlateFacts) -> None:
    wells = colour_plate(facts, "plate", VOTE_SHARE).wells
    assert wells["B01"].colour == CLASS_COLOURS[0]  # 4 of 4 cells
    assert wells["A01"].colour not in {CLASS_COLOURS[0], ""}  # 3 of 4


def test_right_and_wrong_are_told_only_where_the_truth_is_known(bare_study: Study) -> None:
    write_masks(bare_study, failed={})
    write_predictions(bare_study)
    votes = bare_study.predictions_folder("model") / "wells.parquet"
    table = read_table(votes)
    table.loc[table["well"] == "B01", "class"] = "taxol"
    write_table(votes, table)
    coloured = colour_plate(read_facts(bare_study, "watershed", "model"), "plate", CORRECT)
    assert coloured.wells["A01"].colour == RIGHT_COLOUR
    assert coloured.wells["B01"].colour == WRONG_COLOUR
    assert coloured.wells["A03"].mark == "unknown"
    assert [(entry.name, entry.count) for entry in coloured.entries[:2]] == [("right", "3"), ("wrong", "1")]


def test_too_few_cells_are_no_vote_and_no_share(bare_study: Study) -> None:
    write_masks(bare_study, failed={})
    write_predictions(bare_study, min_cells=100)
    facts = read_facts(bare_study, "watershed", "model")
    for by in (VOTE, VOTE_SHARE, f"{SHARE_OF}taxol"):
        assert colour_plate(facts, "plate", by).wells["A01"].mark == "unknown"


def test_numbers_in_the_plate_map_keep_their_order(facts: PlateFacts) -> None:
    names = [entry.name for entry in colour_plate(facts, "plate", f"{MAP}dose").entries if not entry.mark]
    assert names == ["0", "1", "10"]


def test_an_empty_entry_has_no_colour(facts: PlateFacts) -> None:
    assert colour_plate(facts, "plate", f"{MAP}drug").wells["A03"].mark == "unknown"


def test_an_unknown_colouring_draws_the_wells_plain(facts: PlateFacts) -> None:
    coloured = colour_plate(facts, "plate", "")
    assert (coloured.wells["A01"].colour, coloured.wells["A01"].mark) == ("", "")
    assert [entry.mark for entry in coloured.entries] == ["missing"]


def test_the_text_on_the_canvas_says_vote_and_truth(facts: PlateFacts) -> None:
    text = field_text(FieldKey("plate", "A01", 1), facts.predicted, 4, with_plate=False, n_fields=1)
    assert text == "A01 field 1 · DMSO · 75 % of 4 cells · margin 0.50 · true: DMSO ✓"
    tie = field_text(FieldKey("plate", "A03", 1), facts.predicted, 4, with_plate=True, n_fields=1)
    assert tie == "plate/A03 field 1 · tie of DMSO and taxol · 50 % of 4 cells each"


def test_the_whole_well_votes_below_where_it_has_several_fields(facts: PlateFacts) -> None:
    text = field_text(FieldKey("plate", "A02", 1), facts.predicted, 4, with_plate=False, n_fields=3)
    assert text.splitlines()[1] == "whole well (3 fields) · taxol · 100 % of 4 cells · margin 1.00 · true: taxol ✓"


def test_without_predictions_the_text_counts_cells() -> None:
    key = FieldKey("plate", "A01", 1)
    assert field_text(key, None, 1234, with_plate=False, n_fields=1) == "A01 field 1 · 1,234 cells"
    assert field_text(key, None, None, with_plate=False, n_fields=1) == "A01 field 1"


@pytest.mark.parametrize(
    ("class_name", "words"),
    [
        ("taxol", "true: DMSO ✗"),
        ("DMSO", "true: DMSO ✓"),
        (TIE, "true: DMSO"),
        (NO_VOTE, "true: DMSO"),
        (UNDECIDED, "true: DMSO"),
    ],
)
def test_no_vote_is_neither_right_nor_wrong(class_name: str, words: str) -> None:
    assert truth_words(Vote(class_name, 0.6, 0.2, 40, {}), "DMSO") == words


def test_too_few_cells_are_said_as_such() -> None:
    assert vote_words(Vote(NO_VOTE, 1.0, 1.0, 3, {})) == "too few cells to vote (3)"


def test_the_tooltip_begins_with_the_value_that_is_shown(facts: PlateFacts) -> None:
    words = well_tooltip(A02, facts, 1, ("median area", "812 px²"))
    assert words.index("812 px²") < words.index("taxol")
    assert "median area" in words


def test_the_tooltip_of_a_well_without_cells_says_so(facts: PlateFacts) -> None:
    facts.n_cells[A02] = 0
    assert "no cell was found" in well_tooltip(A02, facts, 1)


def test_a_map_of_many_columns_does_not_fill_the_screen(facts: PlateFacts) -> None:
    facts.wells[A01] |= {f"cytokine {i}": "1" for i in range(50)}
    words = well_tooltip(A01, facts, 1)
    assert "more columns" in words
    assert words.count("<tr>") < 20


@pytest.mark.parametrize(
    ("value", "words"),
    [(1234.5, "1,234"), (56.78, "56.8"), (0.1234, "0.123"), (0, "0"), (1.2345e-5, "1.2e-05"), (3e9, "3.00e+09")],
)
def test_numbers_are_written_with_the_digits_that_matter(value: float, words: str) -> None:
    assert number(value) == words


def test_tooltips_do_not_take_the_plate_map_for_html(facts: PlateFacts) -> None:
    facts.wells[A01]["drug"] = "<b>&"
    assert "&lt;b&gt;&amp;" in well_tooltip(A01, facts, 1)


def test_an_undecided_vote_says_what_led_and_is_not_called_a_class() -> None:
    vote = Vote(UNDECIDED, 0.52, 0.04, 143, {"DMSO": 0.48, "taxol": 0.52})
    assert vote_words(vote) == "undecided: taxol 52 % of 143 cells · margin 0.04"


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (("taxol",), "taxol"),
        (("taxol", "DMSO"), "taxol, DMSO"),
        ((), "none: unlike every class"),
        (("a",) * 5, "5 classes"),
    ],
)
def test_a_conformal_set_is_said_in_words(held: tuple[str, ...], words: str) -> None:
    assert set_words(held) == words


# Fields that were classified as a whole


def test_a_field_that_was_classified_as_a_whole_says_how_likely_its_class_is(small_study: Study) -> None:
    write_field_predictions(small_study)
    facts = read_facts(small_study, "watershed", "whole")
    assert facts.problem == ""
    assert not facts.predicted.of_cells
    key = FieldKey("plate", "A02", 1)
    text = field_text(key, facts.predicted, 4, with_plate=False, n_fields=2)
    assert text.splitlines() == [
        "A02 field 1 · taxol · probability 0.80 · true: taxol ✓",
        "whole well (2 fields) · taxol · 100 % of 1 field · margin 1.00 · true: taxol ✓",
    ]
    content = read_content(small_study, key, "watershed", facts)
    assert content.overlay is None, "no cell was classified"
    assert content.masks is not None
    assert colour_plate(facts, "plate", VOTE).wells["A02"].colour == CLASS_COLOURS[1]
    assert "share of fields right" in colourings(facts)["accuracy"].title


def test_images_without_wells_have_a_vote_and_a_truth_each(tmp_path: Path) -> None:
    study = study_of_images(tmp_path)
    write_field_predictions(study)
    facts = read_facts(study, "", "whole")
    assert facts.predicted.truth == facts.predicted.wells == {}
    votes = {one.name: (one.vote, one.truth) for one in listed_images(facts, study.plates[0])}
    assert votes["a"] == ("taxol", "DMSO")
    assert votes["b"] == ("taxol", "taxol")
    key = next(key for key, said in facts.images.items() if said["image_name"] == "a")
    assert image_text(key, facts, None) == "a\ntaxol · probability 0.70 · true: DMSO ✗"


# Doubt


def test_sets_margins_and_undecided_votes_can_be_seen_on_the_plate(small_study: Study) -> None:
    path = small_study.predictions_folder("model") / "wells.parquet"
    table = read_table(path).set_index("well", drop=False)
    table["in_set_DMSO"], table["in_set_taxol"] = True, table["well"].isin(["A02", "A03", "B02"])
    table.loc["A02", ["in_set_DMSO", "in_set_taxol"]] = False
    table.loc["B01", "class"] = UNDECIDED
    write_table(path, table.reset_index(drop=True))
    facts = read_facts(small_study, "watershed", "model")
    sizes = plate_column(facts, SET_SIZE)
    assert [sizes.words(("plate", well)) for well in ("A01", "A02", "A03")] == ["1 class", "no class", "2 classes"]
    assert plate_column(facts, MARGIN).words(A01) == "0.50"
    coloured = colour_plate(facts, "plate", VOTE)
    assert (coloured.wells["B01"].mark, coloured.wells["A03"].mark) == ("undecided", "tie")
    assert {"tie", "undecided"} <= {entry.name for entry in coloured.entries}
    text = field_text(FieldKey("plate", "A03", 1), facts.predicted, 4, with_plate=False, n_fields=2)
    assert text.endswith("90 % set: DMSO, taxol")
    assert AGREEMENT not in colourings(facts), "with one field in each well there is nothing to agree on"
