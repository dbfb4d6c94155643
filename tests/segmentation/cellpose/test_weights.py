"""Weights are found where they are kept, and never replaced by others."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny_cellpose import shrink_sam, write_small_weights

from cellvote.errors import WeightsError
from cellvote.segmentation import make_segmenter
from cellvote.segmentation.cellpose.network import load_network
from cellvote.segmentation.cellpose.weights import BUILT_IN, describe_weights, find_weights, iter_weights, user_models
from cellvote.segmentation.cellpose.weights_format import read_format


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder of models, the one that the environment names."""
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_sam(monkeypatch)


@pytest.mark.usefixtures("small")
def test_weights_are_found_by_name_in_the_folder_of_the_environment(folder: Path) -> None:
    path = write_small_weights(folder / "cpsam_v2")
    found, weights = find_weights("cpsam_v2")
    assert (found, weights.backbone) == (path, "sam_vitl")


@pytest.mark.usefixtures("small")
def test_without_the_variable_they_lie_in_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELLPOSE_LOCAL_MODELS_PATH", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    path = write_small_weights(tmp_path / ".cellpose" / "models" / "cpsam")
    assert find_weights("cpsam")[0] == path


@pytest.mark.usefixtures("small")
def test_a_file_is_found_by_its_path_and_a_users_model_by_its_name(folder: Path, tmp_path: Path) -> None:
    path = write_small_weights(tmp_path / "mine.pt")
    assert find_weights(str(path))[0] == path
    write_small_weights(folder / "CP_neurons")
    (folder / "gui_models.txt").write_text("CP_neurons\nCP_lost\nCP_neurons\n\n")
    assert user_models() == ["CP_neurons", "CP_lost"]
    assert find_weights("CP_neurons")[0] == folder / "CP_neurons"
    status = {one.name: one.status for one in iter_weights()}
    assert status == {**dict.fromkeys(BUILT_IN, "missing"), "CP_neurons": "ok", "CP_lost": "missing"}


def test_missing_weights_are_an_error_that_says_what_to_do_with_and_without_a_network(folder: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        make_segmenter("cellpose", {}, ("DNA",), [])
    said = str(caught.value)
    assert "cellvote weights cpsam_v2 --download" in said
    assert str(folder / "cpsam_v2") in said
    assert "https://" in said
    assert "CELLPOSE_LOCAL_MODELS_PATH" in said
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("model", ["nuclei", "cyto3", "models/mine", "cpsam_v3"])
def test_a_model_that_is_not_there_is_never_replaced(folder: Path, model: str) -> None:
    (folder / "gui_models.txt").write_text("CP_mine\n")
    with pytest.raises(WeightsError, match="cpsam_v2, cpsam, cpdino, cpdino-vitb, CP_mine"):
        find_weights(model)


def old_state() -> dict[str, torch.Tensor]:
    names = ("downsample.down.res_down_0.conv.conv_0.0.weight", "output.2.weight", "diam_mean")
    return {name: torch.zeros(3) for name in names}


def write_damaged(path: Path, kind: str) -> None:
    """Write what is found where weights should be."""
    if kind == "web page":
        path.write_bytes(b"\n<!DOCTYPE html><html><body>Sign in</body></html>" * 30)
    elif kind == "pointer":
        path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1223\n")
    elif kind == "old":
        torch.save(old_state(), path)
    elif kind == "old, parallel":
        torch.save({f"module.{name}": tensor for name, tensor in old_state().items()}, path)
    elif kind == "old, before torch 1.6":
        torch.save(old_state(), path, _use_new_zipfile_serialization=False)
    elif kind == "other tensors":
        torch.save({"weight": torch.zeros(2)}, path)
    elif kind == "no tensors":
        torch.save({"W2": "x"}, path)
    elif kind == "not torch":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "x")
    elif kind == "truncated":
        write_small_weights(path)
        path.write_bytes(path.read_bytes()[:-900])
    elif kind == "noise":
        path.write_bytes(bytes(range(256)) * 8)
    else:
        path.touch()


DAMAGED = {
    "web page": "is a web page",
    "pointer": "git lfs pull",
    "old": "Cellpose 3 or older",
    "old, parallel": "Cellpose 3 or older",
    "old, before torch 1.6": "Cellpose 3 or older",
    "other tensors": "has no 'W2'",
    "no tensors": "something else than weights",
    "not torch": "cannot be read as weights",
    "truncated": "is truncated",
    "noise": "is no model file of Cellpose 4",
    "empty": "is empty",
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", DAMAGED)
def test_what_is_no_weights_is_told_apart_and_listed_as_damaged(folder: Path, kind: str) -> None:
    path = folder / "cpsam_v2"
    write_damaged(path, kind)
    with pytest.raises(WeightsError, match=DAMAGED[kind]) as caught:
        find_weights("cpsam_v2")
    assert str(caught.value).startswith(f"{path}: ")
    described = describe_weights("cpsam_v2")
    assert (described.status, described.n_bytes) == ("damaged", path.stat().st_size)
    assert DAMAGED[kind] in described.says


class Hostile:
    """Runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_no_code_in_a_model_file_is_run(tmp_path: Path) -> None:
    torch.save({"W2": torch.zeros(1), "x": Hostile(tmp_path / "was run")}, tmp_path / "hostile")
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        read_format(tmp_path / "hostile")
    assert not (tmp_path / "was run").exists()


@pytest.mark.usefixtures("small")
def test_weights_that_lack_a_part_or_have_another_shape_are_not_loaded(tmp_path: Path) -> None:
    state = torch.load(write_small_weights(tmp_path / "w"), weights_only=True)
    cpu = torch.device("cpu")
    torch.save({k: v for k, v in state.items() if k != "out.bias"}, tmp_path / "lacks")
    with pytest.raises(WeightsError, match=r"lacks 1 of the \d+ tensors of the network, such as out.bias"):
        load_network(tmp_path / "lacks", cpu)
    torch.save({**state, "out.bias": torch.zeros(5)}, tmp_path / "shape")
    with pytest.raises(WeightsError, match=r"out.bias has the shape \(5,\), the network wants \(192,\)"):
        load_network(tmp_path / "shape", cpu)


@pytest.mark.usefixtures("small")
def test_weights_of_a_network_that_was_trained_in_parallel_are_taken(tmp_path: Path) -> None:
    state = torch.load(write_small_weights(tmp_path / "w"), weights_only=True)
    torch.save({f"module.{name}": tensor for name, tensor in state.items() if "diam" not in name}, tmp_path / "p")
    network = load_network(tmp_path / "p", torch.device("cpu"), bfloat16=False)
    assert torch.equal(network.state_dict()["out.bias"], state["out.bias"])
    assert not any(tensor.is_meta for tensor in network.parameters())


def test_dino_models_say_which_package_they_need(folder: Path) -> None:
    state = {"W2": torch.zeros(1), "encoder.cls_token": torch.zeros(1)}
    torch.save({**state, "encoder.patch_embed.proj.weight": torch.zeros(768, 1)}, folder / "cpdino-vitb")
    assert find_weights("cpdino-vitb")[1].backbone == "dino_vitb"
    try:
        import dinov3  # noqa: F401
    except ImportError:
        with pytest.raises(WeightsError, match="pip install git"):
            make_segmenter("cellpose", {"model": "cpdino-vitb"}, ("DNA",), [])
