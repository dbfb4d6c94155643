"""From a study and what a classifier is fed to the examples that a network takes: for training and predicting alike."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ClassifierError, PlateMapError, StudyError
from cellvote.jobs.field_measurements import measure_fields, read_field_measurements
from cellvote.jobs.stored_images import store_images, stored_fields
from cellvote.learning.examples import Examples, IntArray, Limits, StoredImages
from cellvote.learning.inputs import Features, Inputs, channel_rows, feature_matrix
from cellvote.learning.scaling import FeedingConstants, sampled_limits
from cellvote.plates.acquisition import FIELD, FieldKey, place_columns
from cellvote.plates.plate_map import CONTROL_TYPE
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.image_files import ImagePart, OpenImages, StoredPart, open_images
from cellvote.study.part_images import FLOW_LIMITS, FLOW_VECTORS, MASK_LIMITS

_NEGATIVE = "negative"


def stored_parts(inputs: Inputs, segmentation: str) -> dict[ImagePart, StoredPart]:
    """Name the files of images that a classifier is fed, in its order.

    Raises
    ------
    ClassifierError
        Where it is fed images, and their size is not known.
    """
    if not inputs.has_images:
        return {}
    if inputs.size_px is None:
        raise ClassifierError("the classifier is fed images, but not said of which size. Train again.")
    parts: dict[ImagePart, StoredPart] = {}
    for part in inputs.parts:
        if part == "measurements":
            continue
        of_masks = inputs.unit == "cell" or part != "pixels"
        parts[part] = StoredPart(
            inputs.unit,
            part,
            inputs.size_px,
            segmentation if of_masks else "",
            inputs.cut,
            inputs.background if inputs.unit == "cell" else "kept",
        )
    return parts


def store_inputs(
    study: Study,
    segmentation: str,
    inputs: Inputs,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Store every kind of image that a classifier is fed, and measure whole fields, unless that is there and current.

    Raises
    ------
    ChannelError
        Where the study lacks a channel: said before anything is cut.
    """
    if "pixels" in inputs.parts:
        channel_rows(study.channels, inputs)
    for part in stored_parts(inputs, segmentation).values():
        store_images(study, part, workers=workers, scheduler=scheduler, report=report, cancel=cancel)
    if inputs.has_measurements and inputs.unit == "field" and not segmentation:
        measure_fields(study, workers=workers, scheduler=scheduler, report=report, cancel=cancel)


def example_table(study: Study, segmentation: str, inputs: Inputs) -> pd.DataFrame:
    """Say what each row of the images and measurements is of: ``plate``, ``well``, ``field`` of each cell or field."""
    if inputs.unit == "cell":
        return study.read_cells(segmentation, FIELD)
    return pd.DataFrame(study.fields, columns=FIELD)


def unreadable_fields(study: Study, segmentation: str, inputs: Inputs) -> pd.DataFrame:
    """List fields that could not be stored or measured, so are no examples: ``plate``, ``well``, ``field``, ``error``.

    Only of whole fields: where a cell cannot be cut, nothing is stored.
    """
    found = [stored_fields(study, part) for part in stored_parts(inputs, segmentation).values() if part.unit == "field"]
    if inputs.has_measurements and inputs.unit == "field" and not segmentation:
        found.append(read_field_measurements(study)[[*FIELD, "error"]])
    if not found:
        return pd.DataFrame({"plate": [], "well": [], "field": [], "error": []})
    table = pd.concat([one[one["error"] != ""] for one in found])
    return table.drop_duplicates(FIELD)[[*FIELD, "error"]].reset_index(drop=True)


def learn_constants(study: Study, segmentation: str, inputs: Inputs, rows: IntArray) -> FeedingConstants:
    """Learn what the inputs of one model are relative to, from its training examples only.

    Parameters
    ----------
    rows
        Of the cells table, or of the study's fields.
    """
    constants = FeedingConstants()
    if "pixels" in inputs.parts and inputs.scale == "none":
        images = open_images(study, stored_parts(inputs, segmentation)["pixels"])
        channels = channel_rows(study.channels, inputs)
        limits = sampled_limits(images.array, rows, channels)
        grey = limits * images.gain[channels] + images.offset[channels]
        constants = FeedingConstants(black=tuple(grey[0].tolist()), white=tuple(grey[1].tolist()))
    if inputs.has_measurements:
        constants = constants.with_measurements(measurement_matrix(study, segmentation, inputs)[rows])
    return constants


def examples_of(
    study: Study, segmentation: str, inputs: Inputs, rows: IntArray, constants: FeedingConstants
) -> Examples:
    """Make the examples that a network takes.

    What is relative to a plate or its controls is taken from all of that plate's cells or controls in this study, also
    where only some are examples: so the same cell looks the same in training and in predicting.

    Parameters
    ----------
    rows
        (M,) of the cells table, or of the study's fields.
    constants
        Of the model, as `learn_constants` learned them.

    Raises
    ------
    PlateMapError
        Where grey values are relative to negative controls, and a plate has none.
    StudyError
        Where the images are missing or damaged.
    """
    rows = np.asarray(rows, np.int64)
    images: list[StoredImages] = []
    for name, part in stored_parts(inputs, segmentation).items():
        opened = open_images(study, part)
        if name == "pixels":
            images.append(_pixels(study, segmentation, inputs, rows, constants, opened))
        else:
            limits = MASK_LIMITS if name == "mask" else FLOW_LIMITS
            images.append(_drawn(opened, rows, limits, FLOW_VECTORS if name == "flows" else ()))
    streams = tuple((one,) for one in images) if inputs.separate else (tuple(images),) if images else ()
    measurements = None
    if inputs.has_measurements:
        measurements = constants.standardised(measurement_matrix(study, segmentation, inputs)[rows])
    return Examples(streams, measurements)


def measurement_matrix(study: Study, segmentation: str, inputs: Inputs) -> Features:
    """Take the measurements that a classifier is fed: N×F, gaps as not-a-number, for every cell or field of a study.

    Those of a field are the medians of its cells; without a segmentation, those of the field as a whole.

    Parameters
    ----------
    segmentation
        Empty for whole fields that are measured without one.

    Raises
    ------
    ClassifierError
        Where a measurement is missing.
    PlateMapError
        Where brightness is relative to negative controls, and a plate has none.
    """
    if not segmentation and inputs.unit == "cell":
        raise ClassifierError("the measurements of cells are those of a segmentation: name it.")
    cells = study.read_cells(segmentation) if segmentation else read_field_measurements(study)
    controls = None
    if inputs.scale == "control":
        controls = negative_controls(study, cells[FIELD])
        _check_controls(study, cells["plate"], controls)
    features = feature_matrix(cells, inputs, controls)
    if inputs.unit == "cell" or not segmentation:
        return features
    medians = pd.DataFrame(features).groupby([cells[name] for name in FIELD]).median()
    fields = pd.MultiIndex.from_tuples(study.fields, names=FIELD)
    return medians.reindex(fields).to_numpy(np.float32)


def negative_controls(study: Study, places: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say which cells or fields are of negative controls.

    Parameters
    ----------
    places
        ``plate``, ``well``, ``field`` of each.
    """
    table = study.plate_map
    if CONTROL_TYPE not in table:
        return np.zeros(len(places), bool)
    keys = place_columns(table)
    negative = pd.MultiIndex.from_frame(table.loc[table[CONTROL_TYPE] == _NEGATIVE, keys])
    return np.asarray(pd.MultiIndex.from_frame(places[keys]).isin(negative), bool)


def _check_controls(study: Study, plates: pd.Series, controls: npt.NDArray[np.bool_]) -> None:
    lacking = sorted(set(plates) - set(plates[controls]))
    if lacking:
        raise PlateMapError(
            f"{study.path}: the plate {lacking[0]} has no negative control with anything in it, and grey values are to "
            f"be relative to these (scale=control; {len(lacking)} such plate(s)). Write 'negative' into the column "
            "control_type of the plate map, or leave the plate out."
        )


def _pixels(
    study: Study,
    segmentation: str,
    inputs: Inputs,
    rows: IntArray,
    constants: FeedingConstants,
    images: OpenImages,
) -> StoredImages:
    """Say for each example what is black and white."""
    channels = channel_rows(study.channels, inputs)
    if inputs.scale == "none":
        grey = np.array([constants.black, constants.white])
        if grey.shape != (2, len(channels)):
            raise ClassifierError(
                f"the classifier knows black and white of {grey.shape[-1]} channels, and is fed {len(channels)}. Train "
                "again."
            )
        stored = (grey - images.offset[channels]) / images.gain[channels]
        limits, group = stored[None].astype(np.float32), np.zeros(len(rows), np.int64)
    else:
        limits, group = _limits_of_groups(study, segmentation, inputs, rows, images, channels)
    return StoredImages(images.array, rows, np.array(channels, np.int64), limits, group)


def _limits_of_groups(
    study: Study, segmentation: str, inputs: Inputs, rows: IntArray, images: OpenImages, channels: Sequence[int]
) -> tuple[Limits, IntArray]:
    """Find black and white of each plate, its controls, or each field that holds examples."""
    table = example_table(study, segmentation, inputs)
    if inputs.scale == "image":
        names = [table[name] for name in FIELD]
        codes = np.asarray(pd.MultiIndex.from_arrays(names).factorize()[0], np.int64)
    else:
        codes = np.asarray(pd.factorize(table["plate"])[0], np.int64)
    reference = np.ones(len(table), bool)
    if inputs.scale == "control":
        reference = negative_controls(study, table)
        wanted = np.isin(codes, codes[rows])
        _check_controls(study, table.loc[wanted, "plate"], reference[wanted])
    if inputs.unit == "field":
        reference &= _readable(study, segmentation, inputs, table)
    present, group = np.unique(codes[rows], return_inverse=True)
    members = _rows_of_codes(codes, reference)
    lost = [code for code in present if int(code) not in members]
    if lost:
        key = FieldKey(*table.iloc[int(rows[group == np.flatnonzero(present == lost[0])[0]][0])][FIELD])
        raise StudyError(f"{key}: none of the images that it is compared with can be read. Exclude it.")
    limits = [sampled_limits(images.array, members[int(code)], channels) for code in present]
    return np.stack(limits) if limits else np.zeros((0, 2, len(channels)), np.float32), group.astype(np.int64)


def _readable(study: Study, segmentation: str, inputs: Inputs, table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    lost = unreadable_fields(study, segmentation, inputs)
    if lost.empty:
        return np.ones(len(table), bool)
    return ~np.asarray(pd.MultiIndex.from_frame(table[FIELD]).isin(pd.MultiIndex.from_frame(lost[FIELD])), bool)


def _rows_of_codes(codes: IntArray, chosen: npt.NDArray[np.bool_]) -> Mapping[int, IntArray]:
    """List the chosen rows of each code."""
    rows = np.flatnonzero(chosen)
    order = rows[np.argsort(codes[rows], kind="stable")]
    starts = np.flatnonzero(np.r_[True, np.diff(codes[order]) != 0]) if len(order) else np.zeros(0, np.int64)
    return {int(codes[part[0]]): part for part in np.split(order, starts[1:])} if len(order) else {}


def _drawn(
    images: OpenImages, rows: IntArray, limits: Sequence[Sequence[int]], vectors: tuple[tuple[int, int], ...]
) -> StoredImages:
    """Take mask or flow images, whose scale never changes."""
    channels = np.arange(images.array.shape[1])
    return StoredImages(
        images.array,
        rows,
        channels,
        np.array(limits, np.float32)[None],
        np.zeros(len(rows), np.int64),
        vectors,
        curve="linear",
        jittered=False,
    )
