"""OME-Zarr metadata (NGFF 0.1 to 0.5): what CellVote reads of them, checked.

Specification: https://ngff.openmicroscopy.org/0.5
"""

from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator

from cellvote.errors import ImageReadError
from cellvote.plates.wells import MAX_COLUMNS, MAX_ROWS

MAX_IMAGES_PER_WELL: Final = 10_000
MAX_LEVELS: Final = 64
MAX_LABELS: Final = 100

AXES: Final = ("t", "c", "z", "y", "x")
"""The axes that images may have, in the order in which they stand."""

_MICROMETRES: Final = {
    "angstrom": 1e-4,
    "centimeter": 1e4,
    "cm": 1e4,
    "inch": 25_400.0,
    "m": 1e6,
    "meter": 1e6,
    "micrometer": 1.0,
    "micron": 1.0,
    "millimeter": 1e3,
    "mm": 1e3,
    "nanometer": 1e-3,
    "nm": 1e-3,
    "picometer": 1e-6,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
}
_Text = Annotated[str, Field(max_length=4096)]


class Axis(BaseModel, frozen=True):
    """One axis of an image."""

    name: _Text
    unit: _Text | None = None


class Transformation(BaseModel, frozen=True):
    """A scale or a translation, one number for each axis."""

    type: _Text
    scale: list[float] | None = None
    translation: list[float] | None = None


class Dataset(BaseModel, frozen=True):
    """One resolution level."""

    path: _Text
    transformations: list[Transformation] = Field([], alias="coordinateTransformations")


class Multiscale(BaseModel, frozen=True):
    """An image in several resolutions, the finest first."""

    axes: list[Axis] = Field([Axis(name=name) for name in AXES], min_length=2, max_length=8)
    datasets: list[Dataset] = Field(min_length=1, max_length=MAX_LEVELS)
    transformations: list[Transformation] = Field([], alias="coordinateTransformations")

    @field_validator("axes", mode="before")
    @classmethod
    def _names_alone(cls, axes: Any) -> Any:
        """Read the axes of NGFF 0.3, which are names alone."""
        return [{"name": axis} if isinstance(axis, str) else axis for axis in axes] if isinstance(axes, list) else axes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the axes, in lower case."""
        return tuple(axis.name.casefold() for axis in self.axes)

    def scale_of(self, level: int, axis: int) -> float | None:
        """Give the size of a pixel along an axis, in the axis' unit; None where nothing is said."""
        factors = [
            one.scale[axis]
            for one in (*self.datasets[level].transformations, *self.transformations)
            if one.scale is not None and len(one.scale) == len(self.axes)
        ]
        if not factors:
            return None
        size = 1.0
        for factor in factors:
            size *= factor
        return size

    def translation_of(self, level: int, axis: int) -> float | None:
        """Give where the first pixel lies along an axis, in the axis' unit; None where nothing is said."""
        level_wide = [one.translation for one in self.datasets[level].transformations if one.translation is not None]
        image_wide = [one.translation for one in self.transformations if one.translation is not None]
        found = [values[axis] for values in (*level_wide, *image_wide) if len(values) == len(self.axes)]
        return sum(found) if found else None

    def unit_um(self, axis: int) -> float | None:
        """Give how many micrometres the unit of an axis is; None where it has none, or one that is not known."""
        unit = self.axes[axis].unit
        return _MICROMETRES.get(unit.strip().casefold()) if unit else None


class Image(BaseModel, frozen=True):
    """What the group of an image says."""

    multiscales: list[Multiscale] = Field(min_length=1)


class OmeroChannel(BaseModel, frozen=True):
    """A channel, as OMERO shows it."""

    label: _Text | int | None = None


class Omero(BaseModel, frozen=True):
    """How OMERO shows an image."""

    channels: list[OmeroChannel] = Field(max_length=1000)


class PlateWell(BaseModel, frozen=True):
    """A well of a plate."""

    path: _Text


class PlateAcquisition(BaseModel, frozen=True):
    """A run of the microscope over the plate."""

    id: int


class Plate(BaseModel, frozen=True):
    """What the group of a plate says."""

    name: _Text | None = None
    wells: list[PlateWell] = Field(max_length=MAX_ROWS * MAX_COLUMNS)
    acquisitions: list[PlateAcquisition] | None = None


class WellImage(BaseModel, frozen=True):
    """An image of a well."""

    path: _Text


class Well(BaseModel, frozen=True):
    """What the group of a well says."""

    images: list[WellImage] = Field(max_length=MAX_IMAGES_PER_WELL)


class Labels(BaseModel, frozen=True):
    """Which label images an image has."""

    labels: list[_Text] = Field(max_length=MAX_LABELS)


M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], content: Any, where: object) -> M:
    """Check a part of the metadata.

    Raises
    ------
    ImageReadError
        Where it is not as the specification has it.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(map(str, first["loc"]))
        raise ImageReadError(
            f"{where}: its OME-Zarr metadata are damaged ({entry}: {first['msg'][:100]}). Copy the store again."
        ) from error


def channel_labels(attributes: dict[str, Any]) -> tuple[str, ...]:
    """Read the names of the channels; empty where there are none, or they are garbled."""
    try:
        omero = Omero.model_validate(attributes.get("omero"))
    except ValidationError:
        return ()
    return tuple(str(channel.label).strip() if channel.label is not None else "" for channel in omero.channels)
