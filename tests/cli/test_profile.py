"""``cellvote profile``, as a shell calls it."""

from tests.cli.conftest import Call

from cellvote.study import Study

SETTINGS = ("--set", "min_controls=3", "--set", "exclude=none")


def test_profile_as_json(call: Call, study: Study) -> None:
    said = call("profile", study.path, *SETTINGS, "--json")
    assert (said.code, said.err) == (0, "")
    assert set(said.json) == {
        "segmentation", "plates", "wells", "cells", "excluded", "measurements", "columns", "statistics",
        "normalisation", "up_to_date", "files", "notes", "seconds",
    }  # fmt: skip
    assert (said.json["wells"], said.json["up_to_date"]) == (16, False)
    assert call("profile", study.path, *SETTINGS, "--json").json["up_to_date"]


def test_profile_says_what_it_made(call: Call, study: Study) -> None:
    said = call("profile", study.path, *SETTINGS)
    assert said.code == 0
    words = " ".join(said.out.split())
    assert words.startswith("16 wells: median and mad of 37 measurements of ")
    assert "profiles-normalised.parquet" in words


def test_too_few_controls_are_one_line_and_end_with_2(call: Call, study: Study) -> None:
    said = call("profile", study.path)
    assert said.code == 2
    assert "negative control" in said.error
    assert "reference=negative-or-all" in said.error


def test_a_wrong_setting_is_one_line_and_ends_with_2(call: Call, study: Study) -> None:
    said = call("profile", study.path, "--set", "statistics=mode")
    assert said.code == 2
    assert "statistics" in said.error


def test_a_dry_run_does_nothing(call: Call, study: Study) -> None:
    said = call("profile", study.path, *SETTINGS, "--dry-run", "--json")
    assert said.json["dry_run"]
    assert not (study.segmentation_folder("watershed") / "profiles.parquet").exists()
