"""Every command: what it prints as JSON, what it prints for people, and how it ends."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Call
from tests.tiny_plates import contents, operetta_names, write_images

import cellvote as cv
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table
from cellvote.synthetic import CHANNELS, SimulatedPlate

COMMANDS = (
    "demo", "inspect", "create", "segment", "measure", "profile", "train", "predict", "vote", "evaluate", "audit",
    "report", "export", "view", "doctor",
)  # fmt: skip
SCORE = {
    "accuracy", "balanced_accuracy", "f1_macro", "n", "ci95", "confusion", "abstained", "n_independent",
    "ci95_balanced", "per_class",
}  # fmt: skip


def test_the_version_is_that_of_the_package(call: Call) -> None:
    said = call("--version")
    assert (said.code, said.out) == (0, f"cellvote {cv.__version__}\n")


def test_help_lists_every_command_in_the_order_of_the_work(call: Call) -> None:
    said = call("--help")
    assert said.code == 0
    places = [said.out.index(f"│ {command} ") for command in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_no_command_needs_a_study_for_it(call: Call, command: str) -> None:
    said = call(command, "--help")
    assert said.code == 0
    assert f"cellvote {command}" in said.out


def test_a_command_answers_before_anything_heavy_is_imported() -> None:
    program = (
        "import sys; sys.argv = ['cellvote', 'segment', '--help']\n"
        "from cellvote.cli import main\n"
        "try: main()\n"
        "except SystemExit: print([m for m in ('torch', 'sklearn', 'pandas', 'napari') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# Looking


def test_inspect_as_json(call: Call, tiny_plate: SimulatedPlate) -> None:
    said = call("inspect", tiny_plate.folder, "--json")
    assert said.code == 0
    assert said.err == ""
    assert said.json == {
        "layout": "operetta",
        "plates": ["P-1"],
        "wells": 16,
        "fields": 32,
        "channels": list(CHANNELS),
        "planes": 96,
        "pixel_size_um": 1.3,
        "problems": [],
    }


def test_inspect_shows_an_example(call: Call, tiny_plate: SimulatedPlate) -> None:
    said = call("inspect", tiny_plate.folder)
    assert said.code == 0
    assert "is well A01, field 1, channel DNA" in " ".join(said.out.split())


def test_inspect_takes_several_folders_and_a_pattern(call: Call, tmp_path: Path) -> None:
    for plate in ("P1", "P2"):
        write_images(tmp_path / plate, ["A01_w1.tif"])
    pattern = r"(?P<well>\w\d\d)_(?P<channel>w\d)\.tif"
    said = call("inspect", tmp_path / "P1", tmp_path / "P2", "--pattern", pattern, "--json")
    assert said.json["plates"] == ["P1", "P2"]
    assert said.json["layout"] == "pattern"


# The steps


def test_the_whole_way_with_documented_json_at_every_step(
    call: Call, tiny_plate: SimulatedPlate, tmp_path: Path
) -> None:
    name = tmp_path / "s"
    created = call("create", name, tiny_plate.folder, "--plate-map", tiny_plate.plate_map_path, "--json")
    assert created.code == 0
    assert created.json["study"] == f"{name}.cellvote"
    assert created.json["wells"] == 16

    for study, command in ((name, "segment"), (f"{name}.cellvote", "measure")):
        done = call(command, study, "--workers", 1, "--json")
        assert (done.code, done.err) == (0, "")
        assert set(done.json) == {"fields", "failed", "cells", "device", "seconds"}
        assert (done.json["fields"], done.json["failed"], done.json["device"]) == (32, [], "cpu")
        assert done.json["cells"] > 100

    trained = call("train", name, "--classes", "moa", "--set", "n_trees=10", "--workers", 1, "--json")
    assert trained.code == 0
    assert trained.json["model"] == "forest"
    assert trained.json["folder"] == f"{name}.cellvote/models/forest"

    predicted = call("predict", name, "forest", "--workers", 1, "--json")
    assert predicted.code == 0
    assert predicted.json["cells"] == sum(predicted.json["classes"].values())

    evaluated = call("evaluate", name, "forest", "--json")
    assert (evaluated.code, evaluated.err) == (0, "")
    assert evaluated.json["cell"]["n"] == trained.json["cell"]["n"]


def test_evaluate_as_json(call: Call, finished_study: Study) -> None:
    said = call("evaluate", finished_study.path, "forest", "--json").json
    assert set(said) == {
        "unit", "split_by", "classes", "cell", "field", "well", "treatment", "baselines", "calibration", "conformal",
        "notes", "drawn", "position",
    }  # fmt: skip
    assert (said["unit"], said["split_by"]) == ("cell", "well")
    n = len(said["classes"])
    for level in ("cell", "field", "well", "treatment"):
        assert set(said[level]) == SCORE
        assert [len(row) for row in said[level]["confusion"]] == [n] * n
        low, high = said[level]["ci95"]
        assert 0 <= low <= said[level]["accuracy"] <= high <= 1
    assert set(said["baselines"]) == {"chance", "majority", "position", "measurements"}
    assert set(said["calibration"]) == {"ece", "ece_uncalibrated", "temperature"}
    assert said["conformal"] is None  # of 13 wells in two folds, too few are left to calibrate 90 %
    assert any("sets of 90 % take at least 9 wells of the other folds" in note for note in said["notes"])
    said = call("evaluate", finished_study.path, "forest", "--set", "set_level=0.8", "--json").json
    conformal = said["conformal"]
    assert {"level", "coverage", "mean_set_size", "score", "cell", "field", "well", "treatment"} <= set(conformal)
    assert conformal["level"] == 0.8
    assert 0.5 <= conformal["coverage"] == conformal["cell"]["coverage"] <= 1
    assert 0 < conformal["mean_set_size"] <= n
    for level in ("cell", "field", "well", "treatment"):
        reasons = [note for note in said["notes"] if note.startswith(f"conformal, {level}: ")]
        assert (conformal[level] is None) == bool(reasons)


@pytest.mark.parametrize("settings", [{"n_trees": 10}, {"architecture": "logistic", "seed": 3}], ids=str)
def test_python_and_the_command_line_give_the_same_predictions(
    call: Call, study: Study, settings: dict[str, object]
) -> None:
    assignments = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    options = ("--workers", 1, "--device", "cpu")
    assert call("train", study.path, "--classes", "moa", "--name", "said", *assignments, *options).code == 0
    assert call("predict", study.path, "said", *options).code == 0
    classifier = cv.train(study, "moa", settings=settings, name="called", workers=1, device="cpu")
    cv.predict(study, classifier, workers=1, device="cpu")
    for name in ("cells", "fields", "wells", "treatments"):
        said, called = (study.predictions_folder(one) / f"{name}.parquet" for one in ("said", "called"))
        assert said.read_bytes() == called.read_bytes(), name


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("field", ["plate", "well", "field"]),
        ("well", ["plate", "well"]),
        ("treatment", ["treatment"]),
        ("moa", ["moa"]),
    ],
)
def test_vote_as_json(call: Call, finished_study: Study, by: str, keys: list[str]) -> None:
    votes = call("vote", finished_study.path, "forest", "--by", by, "--json").json
    assert len(votes) > 1
    for vote in votes:
        assert list(vote) == [*keys, "class", "share", "margin", "n_cells", "agreement", "set", "shares"]
        assert 0 <= vote["margin"] <= vote["share"] <= 1
        assert vote["set"] is None or set(vote["set"]) <= set(vote["shares"])
    if by == "moa":  # sets are calibrated for cells, fields, wells and treatments
        assert {str(vote["set"]) for vote in votes} == {"None"}


def test_vote_by_another_method_and_fewer_cells(call: Call, study: Study) -> None:
    usual = call("vote", study.path, "forest", "--json").json
    said = call("vote", study.path, "forest", "--method", "mean-probability", "--set", "min_cells=1", "--json").json
    assert "too few cells" in {vote["class"] for vote in usual}
    assert "too few cells" not in {vote["class"] for vote in said}
    assert [vote["n_cells"] for vote in usual] == [vote["n_cells"] for vote in said]


def test_a_channel_may_be_given_by_its_number(call: Call, new_study: Study) -> None:
    said = call(
        "segment",
        new_study.path,
        "--method",
        "watershed",
        "--wells",
        "A01",
        "--workers",
        1,
        "--set",
        "nuclei_channel=1",
        "--json",
    )
    assert said.code == 0
    note = json.loads((new_study.segmentation_folder("watershed") / "segmentation.json").read_text(encoding="utf-8"))
    assert note["settings"]["nuclei_channel"] == "DNA"


def test_steps_print_for_people_too(call: Call, study: Study) -> None:
    for arguments, expected in (
        (("segment", study.path, "--method", "watershed"), "32 of 32 fields segmented"),
        (("measure", study.path), "(32 were done before)"),
        (("train", study.path, "--classes", "moa", "--set", "n_trees=10"), "held out by well"),
        (("predict", study.path, "forest"), "cells predicted by forest"),
        (("vote", study.path, "forest"), "Votes by well"),
        (("vote", study.path, "forest", "--by", "treatment"), "Votes by treatment"),
        (("evaluate", study.path, "forest"), "95 % CI"),
    ):
        said = call(*arguments)
        assert said.code == 0
        assert expected in said.out


def test_votes_of_nothing_are_no_votes(call: Call, study: Study) -> None:
    plate_map = study.path / "platemap.parquet"
    write_table(plate_map, read_table(plate_map)[["plate", "well", "imaged", "moa"]])
    assert call("vote", study.path, "forest", "--by", "treatment", "--json").json == []
    said = call("vote", study.path, "forest", "--by", "treatment")
    assert said.code == 0
    assert "0 votes" in said.out


def test_a_report_is_one_file_with_what_it_says_as_json(call: Call, study: Study, tmp_path: Path) -> None:
    said = call("report", study.path, "forest", "--out", tmp_path / "r.html", "--json")
    assert said.code == 0
    assert Path(said.json["report"]).read_text(encoding="utf-8").startswith("<!")


def test_a_failed_field_ends_with_one_and_is_listed(call: Call, tiny_plate: SimulatedPlate, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_plate.folder, tmp_path / "plate")
    image = next(folder.rglob("r01c01f02*ch2*.tiff"))
    image.write_bytes(image.read_bytes()[:-300])
    assert call("create", tmp_path / "s", folder, "--plate-map", tiny_plate.plate_map_path).code == 0
    said = call("segment", tmp_path / "s", "--method", "watershed", "--workers", 1, "--json")
    assert said.code == 1
    (failed,) = said.json["failed"]
    assert set(failed) == {"plate", "well", "field", "error"}
    assert (failed["plate"], failed["well"], failed["field"]) == ("P-1", "A01", 2)
    assert "truncated" in failed["error"]
    measured = call("measure", tmp_path / "s", "--workers", 1)
    assert measured.code == 1
    assert "31 of 32 fields measured" in measured.out
    assert measured.err.startswith("Failed: P-1/A01 field 2")
    assert measured.err.count("\n") == 1


def test_create_tells_what_does_not_fit(call: Call, tmp_path: Path) -> None:
    write_images(tmp_path / "P", operetta_names([(1, 1), (1, 2)]))
    (tmp_path / "map.csv").write_text("well,drug\nA1,x\nH12,y\n", encoding="utf-8")
    said = call("create", tmp_path / "s", tmp_path / "P", "--plate-map", tmp_path / "map.csv")
    assert said.code == 0
    assert "2 wells" in said.out
    assert said.err.count("Note:") == 2


def test_several_plate_maps_are_joined(call: Call, tmp_path: Path) -> None:
    write_images(tmp_path / "P", operetta_names([(1, 1)]))
    for name in ("drug", "dose"):
        (tmp_path / f"{name}.csv").write_text(f"well,{name}\nA1,1\n", encoding="utf-8")
    maps = ["--plate-map", tmp_path / "drug.csv", "--plate-map", tmp_path / "dose.csv"]
    assert call("create", tmp_path / "s", tmp_path / "P", *maps, "--json").code == 0
    assert list(Study.open(tmp_path / "s").plate_map) == ["plate", "well", "imaged", "drug", "dose"]


# Dry runs


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment", "STUDY", "--method", "watershed", "--name", "second"),
        ("segment", "STUDY", "--method", "watershed", "--set", "threshold_factor=2", "--name", "third"),
        ("measure", "STUDY"),
        ("train", "STUDY", "--classes", "moa", "--name", "second"),
        ("train", "STUDY", "--classes", "moa", "--recipe", "small-resnet"),
        ("predict", "STUDY", "forest"),
    ],
    ids=" ".join,
)
def test_a_dry_run_prints_a_plan_and_writes_nothing(
    call: Call, study: Study, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    before = contents(tmp_path)
    command = [str(study.path) if part == "STUDY" else part for part in arguments]
    said = call(*command, "--dry-run", "--json")
    assert said.code == 0
    assert set(said.json) == {"dry_run", "reads", "computes", "writes", "seconds", "bytes"}
    assert contents(tmp_path) == before


def test_a_dry_run_of_several_targets_is_one_value(call: Call, finished_study: Study) -> None:
    targets = ["moa", "moa=vehicle,PI3K inhibitor"]
    said = call("train", finished_study.path, "--classes", targets[0], "--classes", targets[1], "--dry-run", "--json")
    assert [one["target"] for one in said.json] == targets


def test_a_dry_run_of_create_writes_nothing(call: Call, tiny_plate: SimulatedPlate, tmp_path: Path) -> None:
    arguments = ("create", tmp_path / "s", tiny_plate.folder, "--plate-map", tiny_plate.plate_map_path, "--dry-run")
    said = call(*arguments)
    assert said.code == 0
    assert "Dry run: nothing was done" in said.out
    assert call(*arguments, "--json").json["writes"] == str(tmp_path / "s.cellvote")
    assert not list(tmp_path.iterdir())


# The doctor


def test_the_doctor_as_json_ends_with_one_only_where_something_is_missing(call: Call, tmp_path: Path) -> None:
    said = call("doctor", tmp_path, "--json")
    checks = said.json
    assert all(set(check) == {"name", "status", "found", "advice"} for check in checks)
    assert said.code == int(any(check["status"] == "missing" for check in checks))


def test_the_doctor_says_what_to_do(call: Call, tmp_path: Path) -> None:
    said = call("doctor", tmp_path)
    assert "CellVote: " in said.out
    assert "disk: " in said.out


# Masks from elsewhere


def test_masks_are_imported_and_a_field_without_any_is_listed(
    call: Call, new_study: Study, finished_study: Study, tmp_path: Path
) -> None:
    masks = shutil.copytree(finished_study.segmentation_folder("watershed") / "masks", tmp_path / "masks")
    (masks / "P-1" / "A01_f2.tif").unlink()
    (masks / "P-1" / "A01_f2.tif.txt").touch()
    shutil.copy(masks / "P-1" / "A01_f1.tif", masks / "P-1" / "H12_f1.tif")
    said = call(
        "segment",
        new_study.path,
        "--method",
        "watershed",
        "--method",
        "import",
        "--set",
        f"masks={masks}",
        "--workers",
        1,
        "--json",
    )
    assert said.code == 1
    assert [(field["well"], field["field"]) for field in said.json["failed"]] == [("A01", 2)]
    assert said.json["fields"] == 32
    assert "1 file(s) in the folder of masks are of no field of the study" in said.json["notes"][0]
    said = call(
        "segment",
        new_study.path,
        "--method",
        "watershed",
        "--method",
        "import",
        "--set",
        f"masks={masks}",
        "--workers",
        1,
    )
    assert "Note: 1 file(s) in the folder of masks" in said.err
    assert "Failed: P-1/A01 field 2" in said.err
