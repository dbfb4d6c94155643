"""Where torch computes."""

from typing import TYPE_CHECKING

from cellvote.errors import DeviceError

if TYPE_CHECKING:
    import torch


def choose_device(name: str = "auto") -> "torch.device":
    """Take the device asked for, or the fastest one that is there: never another one silently.

    Raises
    ------
    DeviceError
        Where the device asked for is not there.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if there["cuda"] else "mps" if there["mps"] else "cpu")
    kind = name.partition(":")[0]
    if not there.get(kind, False):
        raise DeviceError(
            f"the device {name!r} is not there; there are: {', '.join(k for k, v in there.items() if v)}. "
            "`cellvote doctor` says what is missing."
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{name!r} is no device: write auto, cpu, cuda, cuda:1 or mps.") from error
