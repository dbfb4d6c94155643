"""The form of a training: what matters most is open, all else is folded away by what it is about."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel
from qtpy.QtWidgets import QWidget

from cellvote.gui.setting_boxes import Choices
from cellvote.gui.settings_form import SettingsForm
from cellvote.learning.architectures import ARCHITECTURES
from cellvote.learning.settings import AugmentationSettings, FeedingSettings, TrainSettings, uses
from cellvote.learning.settings.fitting import FittingSettings, StartingSettings
from cellvote.learning.settings.splitting import SplittingSettings
from cellvote.study import Study

_OPEN: Final = (
    "folds",
    "channels",
    "scale",
    "n_trees",
    "n_rounds",
    "backbone",
    "pretrained",
    "epochs",
    "batch_size",
    "learning_rate",
)
_GROUPS: Final[dict[str, type[BaseModel]]] = {
    "What is held out": SplittingSettings,
    "What it is fed": FeedingSettings,
    "How it is fitted": FittingSettings,
    "What it starts from": StartingSettings,
    "How images are varied": AugmentationSettings,
}
_ELSEWHERE: Final = ("unit", "split_by")
_OF_CELLS: Final = ("crop_size_px", "cut", "background", "exclude_border")
_OF_FIELDS: Final = ("field_size_px",)
_ANY_NETWORK: Final = "resnet50"


def setting_groups() -> dict[str, tuple[str, ...]]:
    """Name the settings of each fold, by its title."""
    return {
        title: tuple(name for name in settings.model_fields if name not in {*_OPEN, *_ELSEWHERE})
        for title, settings in _GROUPS.items()
    }


def architecture_titles() -> dict[str, str]:
    """Give the title of each architecture by its name, in the order in which they are offered."""
    return {name: one.title for name, one in ARCHITECTURES.items()}


class TrainForm(SettingsForm):
    """Settings of a training; unit and split are asked for beside it, and the box of the architecture is put there.

    Parameters
    ----------
    study
        Whose channels, segmentations and plate-map columns are offered.
    """

    def __init__(self, study: Study, parent: QWidget | None = None) -> None:
        choices: Mapping[str, Choices] = {
            "architecture": architecture_titles(),
            "channels": study.channels,
            "segmentation": study.segmentations,
            "fine_tune_by": [str(c) for c in study.plate_map.columns if c not in {"plate", "well", "field", "imaged"}],
        }
        groups = setting_groups()
        super().__init__(TrainSettings, choices, _ELSEWHERE, parent, apart=("architecture",), groups=groups)

    def show_unit(self, unit: str) -> None:
        """Show what there is to set for cells, or for whole fields."""
        self.leave_out(_OF_FIELDS if unit == "cell" else _OF_CELLS)

    def _is_used(self, name: str, architecture: str) -> bool:
        return uses(name, architecture, str(self.setting("backbone")))

    def _checked(self, values: dict[str, Any]) -> BaseModel:
        """Check all but the name of an architecture that is not ours: looking it up in timm loads torch.

        The command that is started looks it up.
        """
        name = str(values["architecture"])
        if name in ARCHITECTURES or not name:
            return super()._checked(values)
        settings = super()._checked({**values, "architecture": _ANY_NETWORK})
        return settings.model_copy(update={"architecture": name})
