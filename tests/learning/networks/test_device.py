"""Where torch computes: where it was asked to, or not at all."""

import pytest
import torch

from cellvote.errors import DeviceError
from cellvote.learning.networks.device import choose_device


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_left_to_itself_the_fastest_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert choose_device().type == expected


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "tpu", ""])
def test_a_device_that_is_not_there_is_refused_and_no_other_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="is not there; there are: cpu"):
        choose_device(name)


@pytest.mark.parametrize("name", ["cpu:x", "cpu:-2"])
def test_a_device_that_is_garbled_is_refused(name: str) -> None:
    with pytest.raises(DeviceError):
        choose_device(name)
