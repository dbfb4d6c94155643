"""Two classes from a column of numbers."""

import numpy as np
import pandas as pd
import pytest

from cellvote.errors import ClassesError
from cellvote.learning.binarising import cut_in_two, find_threshold
from cellvote.learning.classes import (
    ClassSpec,
    class_of_wells,
    expand_targets,
    parse_classes,
    resolved,
    truth_of_wells,
)

PLATE_MAP = pd.DataFrame(
    {
        "plate": "P-1",
        "well": ["A01", "A02", "A03", "A04", "A05"],
        "imaged": [True, True, True, True, False],
        "IL6": ["0", "1", "1", "10", "400"],
        "IL8": ["1.5", "", "3", "2e1", "7"],
        "compound": ["DMSO", "taxol", "DMSO", "x", "y"],
    }
).astype(dict.fromkeys(("plate", "well", "IL6", "IL8", "compound"), "str"))


@pytest.mark.parametrize(("rule", "threshold"), [("uniform", 5.0), ("quantile", 1.0), ("kmeans", (2 / 3 + 10) / 2)])
def test_a_rule_cuts_the_imaged_wells_in_two(rule: str, threshold: float) -> None:
    assert find_threshold(PLATE_MAP["IL6"][:4], "IL6", rule) == pytest.approx(threshold)
    assert resolved(PLATE_MAP, ClassSpec("il6", rule=rule)).threshold == pytest.approx(threshold)


def test_the_threshold_itself_is_high_and_a_gap_is_nothing() -> None:
    assert cut_in_two(PLATE_MAP["IL8"], "IL8", 3).tolist() == ["low", "", "high", "high", "high"]


def test_wells_are_classed_by_where_their_number_lies() -> None:
    wells = class_of_wells(PLATE_MAP, parse_classes("IL6~uniform"))
    assert wells["class_name"].tolist() == ["low", "low", "low", "high"]
    assert class_of_wells(PLATE_MAP, parse_classes("il8 >= 2"))["well"].tolist() == ["A01", "A03", "A04"]


def test_the_truth_of_another_plate_is_cut_at_the_same_number() -> None:
    truth = truth_of_wells(PLATE_MAP, "IL6", ("low", "high"), 1)
    assert truth["truth"].tolist() == ["low", "high", "high", "high", "high"]


def test_a_column_of_names_cannot_be_cut() -> None:
    with pytest.raises(ClassesError, match="holds 'DMSO', which is no number"):
        class_of_wells(PLATE_MAP, parse_classes("compound~uniform"))


def test_a_column_of_one_number_cannot_be_cut() -> None:
    with pytest.raises(ClassesError, match="fewer than two different numbers"):
        find_threshold(pd.Series(["2", "2.0", ""]), "IL6", "uniform")


@pytest.mark.parametrize("text", ["IL6~thirds", "IL6>=much"])
def test_a_cut_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ClassesError, match="--classes IL6"):
        parse_classes(text)


@pytest.mark.parametrize("text", ["IL6", "IL6=a,b", "IL6>=1.5", "IL6~kmeans", "IL 6>=-2e-05"])
def test_what_is_written_of_classes_reads_back(text: str) -> None:
    assert str(parse_classes(text)) == text
    assert parse_classes(str(parse_classes(text))) == parse_classes(text)


def test_a_star_stands_for_columns() -> None:
    specs = expand_targets(PLATE_MAP, ["il*~uniform", "compound=DMSO,taxol", "IL6~uniform"])
    assert [str(spec) for spec in specs] == ["IL6~uniform", "IL8~uniform", "compound=DMSO,taxol"]
    with pytest.raises(ClassesError, match="no column"):
        expand_targets(PLATE_MAP, ["TNF*"])


def test_infinite_numbers_are_no_numbers() -> None:
    with pytest.raises(ClassesError, match="no number"):
        cut_in_two(pd.Series(["1", str(np.inf)]), "IL6", 1)
