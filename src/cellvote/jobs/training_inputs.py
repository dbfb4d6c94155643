"""What a classifier is to be fed on a study: from its architecture and settings, before anything is computed."""

from pathlib import Path
from typing import Any

from cellvote.errors import ChannelError, ClassifierError, SettingsError
from cellvote.jobs.field_measurements import field_feature_names
from cellvote.jobs.stored_images import usual_field_size_px
from cellvote.learning.architectures import EMBEDDINGS, Architecture, find_architecture
from cellvote.learning.architectures.building import check_image_size
from cellvote.learning.classifier import load_classifier
from cellvote.learning.inputs import Inputs, Part, channel_rows
from cellvote.learning.settings import TrainSettings
from cellvote.profiling.measurements import feature_columns
from cellvote.study import Study
from cellvote.study.crops import usual_crop_size_px


def choose_inputs(study: Study, segmentation: str, settings: TrainSettings) -> Inputs:
    """Say what an architecture is fed on this study.

    A head on the network of another classifier is fed what that one was, where nothing else is said.

    Parameters
    ----------
    segmentation
        Empty for whole fields of which no cell plays a part.

    Raises
    ------
    SettingsError
        Where the architecture cannot be fed that.
    ChannelError
        Where a channel is not there.
    """
    architecture = find_architecture(settings.architecture)
    parts = parts_of(settings)
    _check_parts(architecture, parts)
    columns: tuple[str, ...] = ()
    if "measurements" in parts:
        columns = settings.measurements or measured_columns(study, settings.unit, segmentation)
    if architecture.kind == "classic":
        return Inputs(unit=settings.unit, parts=parts, columns=columns, channels=study.channels, scale=settings.scale)
    settings = _as_its_backbone(study, settings)
    if settings.architecture == EMBEDDINGS and settings.scale == "none":
        raise SettingsError(
            "embeddings are computed once for all folds, so what is black and white cannot be learned fold by fold: "
            "choose scale=plate, control or image."
        )
    wanted = Inputs(parts=("pixels",), channels=settings.channels or study.channels)
    channels = tuple(study.channels[i] for i in channel_rows(study.channels, wanted))
    size_px = _size_px(study, segmentation, settings)
    return Inputs(
        unit=settings.unit,
        parts=parts,
        separate=architecture.name == "fusion",
        columns=columns,
        channels=channels if "pixels" in parts else study.channels,
        size_px=size_px,
        cut="rescale" if settings.unit == "field" and settings.field_size_px else settings.cut,
        background=settings.background,
        scale=settings.scale,
    )


def parts_of(settings: TrainSettings) -> tuple[Part, ...]:
    """Name what is fed: what the settings say, else what the architecture asks for."""
    return settings.parts or find_architecture(settings.architecture).parts


def measured_columns(study: Study, unit: str, segmentation: str) -> tuple[str, ...]:
    """Name the measurements that there are: of cells, or, where fields have none, of whole images."""
    if unit == "field" and not segmentation:
        return field_feature_names(study)
    return tuple(feature_columns(study.read_cells(segmentation)))


def _check_parts(architecture: Architecture, parts: tuple[Part, ...]) -> None:
    name, has_images = architecture.name, any(part != "measurements" for part in parts)
    if architecture.kind == "classic" and has_images:
        raise SettingsError(f"{name} is fed measurements only: leave parts out.")
    if architecture.kind != "classic" and not has_images:
        raise SettingsError(f"{name} is fed images: parts must have pixels, mask or flows among them.")
    if len(set(parts)) < len(parts):
        raise SettingsError(f"parts names one twice: {', '.join(parts)}.")
    if architecture.kind == "embeddings" and parts != ("pixels",):
        raise SettingsError(f"{name} are what a frozen network sees of pixels: leave parts out.")
    if name == "fusion" and parts != architecture.parts:
        raise SettingsError(f"fusion is fed {', '.join(architecture.parts)}, in this order: leave parts out.")
    if "measurements" in parts and not architecture.takes_measurements:
        raise SettingsError(f"{name} takes no measurements: leave them out of parts.")


def _as_its_backbone(study: Study, settings: TrainSettings) -> TrainSettings:
    """Fill in, from the classifier whose network is the backbone, what is not said of images."""
    folder = Path(settings.backbone).expanduser()
    if settings.architecture != EMBEDDINGS or not (folder / "model.json").is_file():
        return settings
    fed = load_classifier(folder).info.inputs
    if not fed.has_images or fed.size_px is None:
        return settings  # refused where the backbone is opened
    known: dict[str, Any] = {"cut": fed.cut, "background": fed.background, "scale": fed.scale}
    if fed.unit == settings.unit == "cell":
        known["crop_size_px"] = fed.size_px[0]
    elif settings.unit == "field":
        known["field_size_px"] = fed.size_px
    try:
        channel_rows(study.channels, fed)
        known["channels"] = fed.channels
    except ChannelError:
        pass  # channels of other names: as many of them will do
    return settings.model_copy(update={k: v for k, v in known.items() if k not in settings.model_fields_set})


def _size_px(study: Study, segmentation: str, settings: TrainSettings) -> tuple[int, int]:
    """Choose height and width of images: as asked, else what shows the cells, and the architecture can take."""
    architecture, name = _which_sees_images(settings), "crop_size_px"
    if settings.unit == "field":
        height, width = settings.field_size_px or usual_field_size_px(study)
        name = "field_size_px"
    elif settings.crop_size_px:
        height = width = settings.crop_size_px
    else:
        usual = max(usual_crop_size_px(study.read_cells(segmentation)), architecture.least_px)
        height = width = -(-usual // architecture.multiple_px) * architecture.multiple_px
    try:
        check_image_size(architecture, height, width)
    except ClassifierError as error:
        raise SettingsError(f"{error} Choose another {name}.") from error
    return height, width


def _which_sees_images(settings: TrainSettings) -> Architecture:
    """Give the architecture whose network looks at images: of embeddings that of the backbone."""
    if settings.architecture != EMBEDDINGS or len(Path(settings.backbone).parts) > 1:
        return find_architecture(settings.architecture)
    return find_architecture(settings.backbone)
