"""The registry of architectures."""

from typing import Any

import pytest

import cellvote as cv
from cellvote.errors import ClassifierError
from cellvote.learning.architectures import build_architecture
from cellvote.learning.settings import settings_for


def test_a_network_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(ClassifierError, match=r"no network 'vgg'; there are: small-resnet \(without a network: forest"):
        build_architecture("vgg", channels=3, size_px=32, n_classes=2)


@pytest.mark.parametrize(
    "values",
    [{"channels": 0}, {"n_classes": 0}, {"size_px": 8}, {"n_measurements": 5}, {"pretrained": True}],
    ids=str,
)
def test_a_network_that_cannot_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ClassifierError, match="small-resnet"):
        cv.learning.build_architecture("small-resnet", **{"channels": 3, "size_px": 32, "n_classes": 2, **values})


def test_each_architecture_has_its_own_settings() -> None:
    assert "n_trees" in settings_for("forest")
    assert "epochs" not in settings_for("forest")
    assert "n_trees" not in settings_for("small-resnet")
    assert {"epochs", "crop_size_px", "channels"} <= set(settings_for("small-resnet"))
    assert set(settings_for("logistic")) < set(settings_for("forest"))
    assert "architecture" in settings_for("forest")[:2]
