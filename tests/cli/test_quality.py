"""Image quality and illumination from the command line."""

import json

import pytest
from tests.cli.conftest import Call

from cellvote.study import Study
from cellvote.study.field_flags import quality_path
from cellvote.study.illumination import illumination_folder


def test_quality_as_json_counts_what_is_flagged(call: Call, new_study: Study) -> None:
    said = call("quality", new_study.path, "--workers", 1, "--set", "least_structure_percent=100", "--json")
    assert said.code == 0
    assert said.json["fields"] == 32
    assert said.json["failed"] == []
    assert said.json["flagged"]["empty"] == 32


def test_quality_lists_flagged_fields_with_the_reason(call: Call, new_study: Study) -> None:
    said = call("quality", new_study.path, "--workers", 1, "--set", "least_structure_percent=100")
    assert "32 of 32 fields are flagged: empty 32" in said.out
    assert "The first 20 are listed." in said.out
    assert "of the area stands out" in " ".join(said.out.split())
    again = call("quality", new_study.path, "--workers", 1, "--set", "least_structure_percent=0")
    assert "(32 were measured before)" in again.out


def test_two_workers_write_the_same_table_as_one(call: Call, new_study: Study) -> None:
    call("quality", new_study.path, "--workers", 1)
    alone = quality_path(new_study).read_bytes()
    quality_path(new_study).unlink()
    assert call("quality", new_study.path, "--workers", 2).code == 0
    assert quality_path(new_study).read_bytes() == alone


@pytest.mark.parametrize("command", ["quality", "illumination"])
def test_a_dry_run_writes_nothing(call: Call, new_study: Study, command: str) -> None:
    said = call(command, new_study.path, "--dry-run", "--json", "--workers", 1)
    assert said.code == 0
    assert said.json["dry_run"] is True
    assert said.json["seconds"] > 0
    assert not (new_study.path / command).exists()


def test_a_rule_that_is_none_is_said_in_one_line(call: Call, new_study: Study) -> None:
    said = call("quality", new_study.path, "--set", "sharpness=3")
    assert said.code == 2
    assert "there is no setting 'sharpness'; there are: channels," in said.error


def test_illumination_is_made_then_applied_then_not(call: Call, new_study: Study) -> None:
    def set_to_correct() -> bool:
        reading = json.loads((new_study.path / "study.json").read_text())["reading"]
        return bool(reading["illumination"])

    made = call("illumination", new_study.path, "--workers", 1)
    assert "Not used yet" in made.out
    assert not set_to_correct()
    applied = call("illumination", new_study.path, "--apply", "--workers", 1, "--json")
    assert applied.json["applied"] is True
    assert applied.json["fields"] == 32
    assert set_to_correct()
    assert call("illumination", new_study.path, "--no-apply", "--json").json == {"applied": False}
    assert not set_to_correct()
    assert (illumination_folder(new_study.path) / "P-1" / "DNA.tif").exists()
