"""How a classifier is trained: one model for the form, the command line and the saved file."""

from typing import Final

from cellvote.learning.architectures import ARCHITECTURES, EMBEDDINGS
from cellvote.learning.settings.augmentation import AugmentationSettings
from cellvote.learning.settings.feeding import FeedingSettings
from cellvote.learning.settings.fitting import ClassicSettings, FittingSettings, StartingSettings
from cellvote.learning.settings.splitting import SplittingSettings
from cellvote.learning.settings.subject import SubjectSettings

__all__ = ["AugmentationSettings", "FeedingSettings", "TrainSettings", "settings_for"]


class TrainSettings(
    AugmentationSettings,
    StartingSettings,
    FittingSettings,
    ClassicSettings,
    FeedingSettings,
    SplittingSettings,
    SubjectSettings,
    frozen=True,
    extra="forbid",
    coerce_numbers_to_str=True,
):
    """How a classifier is trained and held to account.

    A field that only some architectures use names them in ``json_schema_extra["architectures"]``, one that some do
    not use names these in ``["except"]``.
    """


_OF_TRAINED_NETWORKS: Final = frozenset(
    {*AugmentationSettings.model_fields, *FittingSettings.model_fields}
    | {"initialisation", "fine_tune_by", "fine_tune_epochs"}
)


_OF_WEIGHTS: Final = ("pretrained", "weights")


def uses(name: str, architecture: str, backbone: str = "") -> bool:
    """Whether an architecture uses a setting; with embeddings, that of this backbone, where it is given."""
    if architecture == EMBEDDINGS:
        if name in _OF_TRAINED_NETWORKS:
            return False  # its network is frozen
        if name in _OF_WEIGHTS and backbone in ARCHITECTURES and ARCHITECTURES[backbone].own_weights:
            return False  # they come with CellVote, whatever is said
    extra = TrainSettings.model_fields[name].json_schema_extra
    if not isinstance(extra, dict):
        return True
    only, but = extra.get("architectures"), extra.get("except")
    return (not isinstance(only, list) or architecture in only) and not (isinstance(but, list) and architecture in but)


def settings_for(architecture: str) -> list[str]:
    """Name the settings that an architecture uses, in their order."""
    return [name for name in TrainSettings.model_fields if uses(name, architecture)]
