"""Find an architecture by its name, timm's models among them."""

import difflib
import re
from typing import Final

from cellvote.errors import ClassifierError
from cellvote.learning.architectures.architecture import Architecture
from cellvote.learning.architectures.registry import ARCHITECTURES, timm_builder

TIMM: Final = "timm:"
_NAME: Final = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_.]+)?")


def find_architecture(name: str) -> Architecture:
    """Find an architecture; names that are not our own are looked for in timm, which imports torch.

    Parameters
    ----------
    name
        One of `ARCHITECTURES`, or the name of a timm model, ``timm:`` before it or not, such as ``resnet18`` or
        ``timm:resnet18.tv_in1k``, where the tag says which of its pretrained weights are meant.

    Raises
    ------
    ClassifierError
        Where there is none of this name; the message holds the names that are near.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    timm_name = name.removeprefix(TIMM)
    if _NAME.fullmatch(timm_name) and _is_timm_model(timm_name):
        return Architecture(
            name,
            timm_name,
            "network",
            "timm (R. Wightman, PyTorch Image Models)",
            build=timm_builder(timm_name, tried=False),
            least_px=1,  # found out by trying
            backbone=timm_name,
        )
    raise ClassifierError(_unknown(name, timm_name))


def checked_architecture(name: str) -> str:
    """Give the name back where there is such an architecture.

    Raises
    ------
    ClassifierError
        Where there is none.
    """
    return find_architecture(name).name


def _is_timm_model(timm_name: str) -> bool:
    import timm

    base, _, tag = timm_name.partition(".")
    return bool(timm.is_model(base)) and (not tag or timm_name in timm.list_pretrained(f"{base}.*"))


def _unknown(name: str, timm_name: str) -> str:
    import timm

    base, _, tag = timm_name.partition(".")
    if tag and timm.is_model(base):
        tags = ", ".join(timm.list_pretrained(f"{base}.*")) or "none"
        return f"timm's {base} has no pretrained weights {tag!r}; there are: {tags}."
    near = difflib.get_close_matches(name, ARCHITECTURES, 3, 0.5)
    near += [one for one in difflib.get_close_matches(timm_name, timm.list_models(), 3, 0.6) if one not in near]
    meant = f" Did you mean {', '.join(near)}?" if near else ""
    return (
        f"there is no architecture {name!r}.{meant} Ours are: {', '.join(ARCHITECTURES)}; any model of timm can be "
        "named too."
    )
