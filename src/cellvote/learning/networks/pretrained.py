"""Pretrained weights: found on this machine, read without running code in them, and held against the network."""

import pickle
import sys
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final, Literal

import timm
import torch
from torch import Tensor, nn

from cellvote.errors import ClassifierError
from cellvote.learning.architectures import Architecture, find_architecture
from cellvote.study.atomic import file_checksum

Tensors = dict[str, Tensor]

MAX_BYTES: Final = 16 * 2**30
_INSIDE: Final = ("state_dict_ema", "model_ema", "state_dict", "model", "network")
_LEGACY_TORCH: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_PREFIXES: Final = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class StartingWeights:
    """What a network starts from.

    Attributes
    ----------
    path
        The file of its weights; None where they are drawn anew.
    note
        That in one sentence; empty where nothing else was asked for.
    about
        What is kept of the file in ``model.json``: its name, checksum, and timm's name and licence of its contents.
    """

    path: Path | None = None
    note: str = ""
    about: dict[str, str] = field(default_factory=dict)


def choose_start(
    architecture: str, pretrained: Literal["no", "if-there", "yes", "download"] = "no", weights: str = ""
) -> StartingWeights:
    """Choose what a network starts from, before anything is trained; give its path to `build_architecture`.

    Parameters
    ----------
    pretrained
        As the setting of this name says.
    weights
        A file of weights, which is taken whatever ``pretrained`` says; none where empty.

    Raises
    ------
    ClassifierError
        Where the weights are not there and training from scratch was not asked for, or the architecture takes none.
    """
    found = find_architecture(architecture)
    if found.own_weights:
        return _own(found, weights)
    if pretrained == "no" and not weights:
        if found.is_frozen:
            raise ClassifierError(
                f"{architecture} keeps the weights of its {found.backbone}, so it needs pretrained ones. "
                "--set pretrained=yes or download, or --set weights=PATH; with if-there it goes on with random ones."
            )
        return StartingWeights()
    if found.backbone is None:
        raise ClassifierError(f"{architecture} has no pretrained weights: train it from scratch, pretrained=no.")
    try:
        wanted: Literal[True, "download"] = "download" if pretrained == "download" else True
        path = find_weights(found.backbone, Path(weights).expanduser() if weights else wanted)
    except ClassifierError as error:
        if pretrained != "if-there" or weights:
            raise
        return StartingWeights(None, f"from scratch, since: {error}")
    about = timm.get_pretrained_cfg(found.backbone)
    licence = str(about.license or "") if about is not None and not weights else ""
    kept = {"file": path.name, "checksum": file_checksum(path), "network": found.backbone, "licence": licence}
    return StartingWeights(path, f"from the pretrained weights {path}", kept)


def _own(architecture: Architecture, weights: str) -> StartingWeights:
    """Say of the weights that come with CellVote which they are; the network is built with them."""
    if weights:
        raise ClassifierError(f"{architecture.name} keeps the weights that come with CellVote: leave weights out.")
    with as_file(files("cellvote").joinpath(architecture.own_weights)) as path:
        about = {"file": path.name, "checksum": file_checksum(path), "network": architecture.name}
    note = f"from the weights {about['file']} that come with CellVote"
    return StartingWeights(None, note, {**about, "licence": "BSD-3-Clause"})


def find_weights(timm_name: str, pretrained: Literal[True, "download"] | Path) -> Path:
    """Find the file of a timm model's pretrained weights; nothing is fetched unless that was asked for.

    Parameters
    ----------
    pretrained
        True: in timm's cache. ``download``: there, or fetched to there. Else the file itself.

    Raises
    ------
    ClassifierError
        Where there is no such file, with the ways to get it.
    """
    if isinstance(pretrained, Path):
        if not pretrained.is_file():
            raise ClassifierError(
                f"{pretrained}: there is no such file of weights. Check the path, or leave it out for timm's cache."
            )
        return pretrained
    cached = cached_weights(timm_name)
    if cached is not None:
        return cached
    if pretrained == "download":
        return _download(timm_name)
    raise ClassifierError(_missing(timm_name))


def cached_weights(timm_name: str) -> Path | None:
    """Look where timm and torch keep what they fetched; the network is not used."""
    import huggingface_hub

    about = timm.get_pretrained_cfg(timm_name)
    if about is None:
        return None
    if about.hf_hub_id:
        repository, _, revision = about.hf_hub_id.partition("@")
        for name in _file_names(about):
            found = huggingface_hub.try_to_load_from_cache(repository, name, revision=revision or None)
            if isinstance(found, str):
                return Path(found)
    if about.url and not str(about.url).endswith(".npz"):
        path = Path(torch.hub.get_dir()) / "checkpoints" / str(about.url).rpartition("/")[2]
        if path.is_file():
            return path
    return None


def _file_names(about: Any) -> tuple[str, ...]:
    return (about.hf_hub_filename,) if about.hf_hub_filename else ("model.safetensors", "pytorch_model.bin")


def _download(timm_name: str) -> Path:
    """Fetch the weights to timm's cache, whole or not at all."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    about = timm.get_pretrained_cfg(timm_name)
    if about is None or not about.hf_hub_id:
        raise ClassifierError(_missing(timm_name))
    repository, _, revision = about.hf_hub_id.partition("@")
    try:
        fetched = huggingface_hub.hf_hub_download(repository, _file_names(about)[0], revision=revision or None)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        first = str(error).partition("\n")[0]
        raise ClassifierError(f"{timm_name}: cannot be fetched ({first}). {_ways_out(about)}") from error
    return Path(fetched)


def _missing(timm_name: str) -> str:
    about = timm.get_pretrained_cfg(timm_name)
    if about is None or not (about.hf_hub_id or about.url):
        return f"timm has no pretrained weights of {timm_name}. {_ways_out(None)}"
    licence = f" (licence {about.license})" if about.license else ""
    there = [tag for tag in timm.list_pretrained(f"{timm_name.partition('.')[0]}.*") if cached_weights(tag)]
    instead = f" Of its other weights these are: {', '.join(f'timm:{tag}' for tag in there)}." if there else ""
    return (
        f"{timm_name}: its pretrained weights, {about.hf_hub_id or about.url}{licence}, are not on this machine."
        f"{instead} With a network: --set pretrained=download. {_ways_out(about)}"
    )


def _ways_out(about: Any) -> str:
    place = "a file of its weights"
    if about is not None and about.hf_hub_id:
        place = f"{_file_names(about)[0]} of https://huggingface.co/{about.hf_hub_id}"
    return (
        f"Without a network: fetch {place} elsewhere, copy it here and give its path, --set weights=PATH. "
        "Or train from scratch: --set pretrained=no."
    )


def read_weights(path: Path) -> Tensors:
    """Read a file of weights, safetensors or torch's own; no code in it is ever run.

    Returns
    -------
    dict
        Tensors by name. What training scripts wrap around them (``state_dict``, ``module.``) is taken off.

    Raises
    ------
    ClassifierError
        Where it is damaged, too large, or holds something else than weights.
    """
    import safetensors.torch
    from safetensors import SafetensorError

    try:
        n_bytes = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(64)
        if n_bytes > MAX_BYTES:
            raise ClassifierError(f"{path}: larger than 16 GiB: refused.")
        content: Any
        if start.startswith((b"PK", _LEGACY_TORCH)):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=start.startswith(b"PK"))
        elif start[8:9] == b"{":
            content = safetensors.torch.load_file(path)
        else:
            raise ClassifierError(f"{path}: {_what_instead(start)}")
    except OSError as error:
        raise ClassifierError(f"{path}: cannot be opened ({error.strerror or error}).") from error
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
        if isinstance(error, ClassifierError):
            raise
        first = str(error).partition("\n")[0]
        raise ClassifierError(f"{path}: cannot be read as weights ({first}). Get the file again.") from error
    return _unwrapped(content, path)


def _what_instead(start: bytes) -> str:
    text = start.lstrip().lower()
    if not start:
        return "is empty. Get the file again."
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not weights: the download went astray. Get the file again."
    if text.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the weights themselves. Run: git lfs pull"
    return "is neither safetensors nor a file of torch. Give the path of one of those."


def _unwrapped(content: Any, path: Path) -> Tensors:
    for name in _INSIDE:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
            break
    if not isinstance(content, dict) or not content:
        raise ClassifierError(f"{path}: holds something else than weights by name.")
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise ClassifierError(f"{path}: holds something else than tensors. Save the network's state_dict() alone.")
    tensors = {str(name): tensor for name, tensor in content.items()}
    for prefix in _PREFIXES:
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def fill_in(network: nn.Module, tensors: Tensors, name: str, path: Path) -> None:
    """Fill weights into a timm network without classifier; what the file holds for its classifier is left out.

    Raises
    ------
    ClassifierError
        Where they are those of another network; both sides are shown.
    """
    try:
        fitting = _converted(network, tensors)
    except (KeyError, RuntimeError, ValueError, IndexError, AttributeError, TypeError) as error:
        raise ClassifierError(f"{path}: holds no weights of {name} ({error}).") from error
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in fitting and not key.endswith("num_batches_tracked")]
    if missing:
        raise ClassifierError(
            f"{path}: holds no weights of {name}: {missing[0]!r} is missing ({len(missing)} of {len(wanted)} tensors "
            f"are). It begins with {next(iter(tensors))!r}."
        )
    other = [key for key in wanted if key in fitting and fitting[key].shape != wanted[key].shape]
    if other:
        raise ClassifierError(
            f"{path}: holds weights of another network than {name}: {other[0]!r} is {_shape(fitting[other[0]])}, not "
            f"{_shape(wanted[other[0]])}."
        )
    unknown = [key for key in fitting if key not in wanted and not _is_left_out(key, network)]
    if unknown:
        raise ClassifierError(
            f"{path}: holds weights of another network than {name}, which has no {unknown[0]!r} ({len(unknown)} "
            "tensors are left over)."
        )
    broken = [key for key in wanted if key in fitting and not bool(fitting[key].isfinite().all())]
    if broken:
        raise ClassifierError(f"{path}: {broken[0]!r} holds values that are not numbers. Get the file again.")
    network.load_state_dict({key: fitting[key] for key in wanted if key in fitting}, strict=False)


def _converted(network: nn.Module, tensors: Tensors) -> Tensors:
    """Let timm bring names and position embeddings of published files into its own form."""
    room = sys.modules[type(network).__module__]
    convert = getattr(room, "checkpoint_filter_fn", None) or getattr(room, "_filter_torchvision_pretrained", None)
    if convert is None:
        return tensors
    try:
        converted: Tensors = convert(dict(tensors), network)
    except TypeError:  # takes the tensors alone
        converted = convert(dict(tensors))
    return converted


def _is_left_out(key: str, network: Any) -> bool:
    """Whether a tensor belongs to a classifier, which every network gets anew."""
    named = network.pretrained_cfg.get("classifier") or ()
    heads = (named,) if isinstance(named, str) else tuple(named)
    return key.startswith(tuple(f"{head}." for head in (*heads, "AuxLogits", "head", "head_dist", "pre_logits")))


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"
