"""What a segmentation is made with: settings, device and weights, looked at before anything is written."""

from typing import Any, Final

import numpy as np

from cellvote.errors import DeviceError, ImageReadError, SettingsError, StudyError
from cellvote.plates.pixels import Pixels
from cellvote.segmentation import METHODS, make_segmenter
from cellvote.segmentation.base import PooledSegmenter, Segmenter
from cellvote.settings import changed, of_result
from cellvote.study import Study
from cellvote.study.atomic import read_json
from cellvote.study.illumination import note_correction

N_SAMPLE_FIELDS: Final = 12
"""Automatic settings are measured on this many fields, spread over the study."""

_WITHOUT_SAMPLE: Final = frozenset({"import"})
"""Methods that measure nothing on sample fields."""


def resolve_settings(
    study: Study, method: str, settings: dict[str, Any], keep_flows: bool | None = None
) -> dict[str, Any]:
    """Fill in what the settings leave automatic, measured on fields spread over the study.

    Returns
    -------
    dict
        ``method``, ``asked`` (as given) and ``settings`` (nothing left automatic); of methods with a network also
        ``flows`` (whether they are kept) and ``made_with`` (versions, and a fingerprint of the weights); where pixels
        are corrected, ``illumination``.

    Raises
    ------
    SettingsError
        Where flows are asked for of a method that gives none.
    """
    looks = method not in _WITHOUT_SAMPLE
    segmenter = make_segmenter(method, settings, study.channels, sample_fields(study) if looks else [])
    resolved = segmenter.settings.model_dump(mode="json")
    chosen: dict[str, Any] = {"method": method, "asked": settings, "settings": resolved}
    if isinstance(segmenter, PooledSegmenter):
        chosen["made_with"] = segmenter.provenance
        if segmenter.gives_flows:
            chosen["flows"] = keep_flows is not False
    if keep_flows and not chosen.get("flows"):
        raise SettingsError(f"{method} gives no flows: leave --flows out. `compute_flows` makes them of any masks.")
    return chosen | note_correction(study)


def sample_fields(study: Study, n: int = N_SAMPLE_FIELDS) -> list[Pixels]:
    """Read a few fields spread over the study; those that cannot be read are passed over."""
    keys = study.fields
    spread = np.unique(np.linspace(0, len(keys) - 1, min(n, len(keys))).round().astype(int))
    images = []
    for i in spread:
        try:
            images.append(study.read_field(keys[i]))
        except ImageReadError:
            continue  # the field's own run says what is wrong with it
    return images


def settings_to_use(
    study: Study, name: str, method: str, settings: dict[str, Any], *, overwrite: bool, keep_flows: bool | None
) -> dict[str, Any]:
    """Go on with the settings that are there, or measure new ones; never mix two in one segmentation.

    Raises
    ------
    StudyError
        Where other settings, or pixels corrected otherwise, made what is there.
    """
    path = study.segmentation_folder(name) / "segmentation.json"
    if overwrite or not path.exists():
        return resolve_settings(study, method, settings, keep_flows)
    there: dict[str, Any] = read_json(path)
    if there.get("illumination") != note_correction(study).get("illumination"):
        raise StudyError(
            f"the segmentation {name!r} was made of pixels with another illumination correction, or without one. "
            "Give --name for a second one, or --overwrite to replace it."
        )
    old, new = {"method": there["method"], **there["asked"]}, {"method": method, **settings}
    if method in METHODS:
        model = METHODS[method][0]
        old, new = of_result(model, old), of_result(model, new)
        fast = {key: value for key, value in settings.items() if key not in new}
        there = {**there, "settings": {**there["settings"], **fast}}
    if keep_flows is not None and keep_flows != there.get("flows", False):
        old["flows"], new["flows"] = there.get("flows", False), keep_flows
    if old == new:
        return there
    raise StudyError(
        f"the segmentation {name!r} was made with other settings ({changed(old, new)}). Give --name for a second one, "
        "or --overwrite to replace it."
    )


def check_provenance(name: str, segmenter: Segmenter, chosen: dict[str, Any]) -> list[str]:
    """See that the weights are those that the segmentation was begun with, and note where a package is not.

    Raises
    ------
    StudyError
        Where the weights of this name are other ones now.
    """
    before: dict[str, str] = chosen.get("made_with", {})
    now = segmenter.provenance if isinstance(segmenter, PooledSegmenter) else {}
    if before.get("weights") != now.get("weights"):
        raise StudyError(
            f"the segmentation {name!r} was begun with other weights of the same name. Put those back, give --name for "
            "a second segmentation, or --overwrite to replace it."
        )
    other = changed(before, now)
    return [f"the segmentation was begun with other versions: {other}."] if other else []


def check_device(segmenter: Segmenter, device: str) -> None:
    """See that the device asked for is there and will be used, before anything is written.

    Raises
    ------
    DeviceError
        Where it is not there, or the segmenter has no network.
    """
    if isinstance(segmenter, PooledSegmenter):
        from cellvote.device import choose_device

        choose_device(device)
    elif device not in {"auto", "cpu"}:
        raise DeviceError(f"{segmenter.name} runs on the CPU, not on {device!r}: leave the device out.")


def runs_pooled(segmenter: PooledSegmenter, device: str) -> bool:
    """Whether one network in this process does better than one in every worker: on a GPU, or where it is large."""
    from cellvote.device import choose_device

    return choose_device(device).type != "cpu" or not segmenter.light
