"""Weights say of which classes they are, in which order; model.json is held against that."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from cellvote.errors import ClassifierError
from cellvote.learning.classifier import ClassifierInfo
from cellvote.learning.inputs import Inputs
from cellvote.learning.weights_note import check_note, write_note

INPUTS = Inputs(parts=("pixels",), channels=("DNA", "Actin"), size_px=(64, 64))


def info(**changes: Any) -> ClassifierInfo:
    values: dict[str, Any] = {
        "name": "m",
        "architecture": "small-resnet",
        "classes": ("a", "b"),
        "class_column": "moa",
        "inputs": INPUTS,
        "settings": {},
        "split_by": "well",
        "n_folds": 2,
        "seed": 0,
        "segmentation": {},
        "training_data": "",
    }
    return ClassifierInfo(**values | changes)


@pytest.fixture(params=["model.safetensors", "model.skops"])
def weights(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path: Path = tmp_path / request.param
    if path.suffix == ".safetensors":
        safetensors.numpy.save_file({"w": np.arange(6.0).reshape(2, 3)}, path, metadata={"epoch": "3"})
    else:
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("schema.json", "{}")
    write_note(path, info())
    return path


def test_weights_that_belong_to_their_note_are_taken(weights: Path) -> None:
    check_note(weights, info(name="renamed", seed=5))


def test_writing_the_note_again_changes_no_byte_and_keeps_the_weights(weights: Path) -> None:
    before = weights.read_bytes()
    write_note(weights, info())
    assert weights.read_bytes() == before
    if weights.suffix == ".safetensors":
        assert safetensors.numpy.load_file(weights)["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
        with safetensors.safe_open(weights, "np") as file:
            assert file.metadata()["epoch"] == "3"
    else:
        assert zipfile.ZipFile(weights).read("schema.json") == b"{}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": ("b", "a")}, "classes is b, a in model.json and a, b in"),
        ({"inputs": INPUTS.model_copy(update={"channels": ("Actin", "DNA")})}, "channels is Actin, DNA in model.json"),
        ({"inputs": INPUTS.model_copy(update={"size_px": (32, 32)})}, "size is 32, 32 in model.json and 64, 64 in"),
        ({"architecture": "forest"}, "architecture is forest in model.json and small-resnet in"),
    ],
)
def test_another_order_of_classes_channels_or_size_is_refused_with_both_sides(
    weights: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClassifierError, match=said):
        check_note(weights, info(**changes))


def test_weights_without_a_note_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file({"w": np.zeros(2)}, path)
    with pytest.raises(ClassifierError, match="does not say which classes"):
        check_note(path, info())


@pytest.mark.parametrize("content", [b"", b"PK", b"\xff" * 40])
def test_damaged_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("model.safetensors", "model.skops"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ClassifierError, match="damaged"):
            check_note(tmp_path / name, info())
