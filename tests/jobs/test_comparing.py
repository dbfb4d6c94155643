"""Compounds against the negative controls: one call, before anything is trained."""

import pandas as pd
import pytest

import cellvote as cv
from cellvote.errors import PlateMapError
from cellvote.study import Study


def test_each_compound_is_compared_with_the_negative_controls(finished_study: Study) -> None:
    table = cv.learning.compare_with_control(finished_study, "compound", folds=2)
    assert table["compound"].iloc[0] == "all compounds"
    named = finished_study.plate_map
    compounds = set(named.loc[(named["compound"] != "") & (named["control_type"] != "negative"), "compound"])
    assert set(table["compound"].iloc[1:]) <= compounds
    assert "DMSO" not in set(table["compound"])
    known = table[table["note"].str.len() == 0]
    assert len(known)
    assert known["accuracy"].between(0, 1).all()
    assert ((known["low"] <= known["accuracy"]) & (known["accuracy"] <= known["high"])).all()
    lonely = table[(table["wells"] == 1)]
    assert lonely["accuracy"].isna().all()
    assert lonely["note"].str.contains("is in one well only").all()


def test_without_negative_controls_there_is_nothing_to_compare_with(study: Study) -> None:
    study.write_plate_map(study.plate_map.assign(control_type=""))
    with pytest.raises(PlateMapError, match="no imaged well is a negative control"):
        cv.learning.compare_with_control(study, "compound")


def test_a_column_that_is_not_there_is_refused(finished_study: Study) -> None:
    with pytest.raises(PlateMapError, match="no column 'donor'"):
        cv.learning.compare_with_control(finished_study, "donor")


def test_the_table_is_plain(finished_study: Study) -> None:
    table = cv.learning.compare_with_control(finished_study, "moa", folds=2)
    assert isinstance(table, pd.DataFrame)
    assert "vehicle" not in set(table["compound"])
