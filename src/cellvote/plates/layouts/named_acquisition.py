"""From what names of one microscope tell to an acquisition."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, plane_table
from cellvote.plates.layouts.base import Folder, Layout
from cellvote.plates.layouts.extra_pages import with_pages
from cellvote.plates.layouts.file_stacks import stacked_planes
from cellvote.plates.layouts.named_groups import check_unique, left_out, natural
from cellvote.plates.layouts.plate_names import folders_apart


def named_acquisition(
    folder: Folder,
    layout: Layout,
    found: pd.DataFrame,
    others: Sequence[str],
    channel_name: Callable[[str], str] = str,
    problems: Sequence[str] = (),
    **known: Any,
) -> Acquisition:
    """Make an acquisition of files whose names tell which plane they hold, or which stack.

    Parameters
    ----------
    found
        A row per file: ``path`` and what its name tells. Where no name tells a ``channel``, the header of the first
        file says which it holds.
    others
        Images of other names, for the problems.
    channel_name
        Makes the name of a channel from what stands in the file's name.
    known
        More of what `Acquisition` holds.

    Raises
    ------
    LayoutError
        Where there is no file, two read as the same plane, or only some names tell a channel.
    """
    if found.empty:
        raise LayoutError(f"{folder.path}: no image has a name like {layout.example}.")
    if "channel" in found and found["channel"].isna().all():
        found = found.drop(columns="channel")
    found, same = folders_apart(found)
    known["doubts"] = (*known.get("doubts", ()), *same)
    named = "channel" in found
    if not named:
        held = stacked_planes(folder.path, found)
        found, channels = held.planes, held.channels
        known = {"pixel_size_um": held.pixel_size_um} | known
        known["doubts"] = (*known["doubts"], *held.doubts)
    else:
        codes, values = pd.factorize(found["channel"].fillna("unnamed"))
        written = [str(value) for value in values]
        order = sorted(range(len(written)), key=lambda i: natural(written[i]))
        names = [channel_name(written[i]) for i in order]
        if len(set(names)) < len(names):
            names = [written[i] for i in order]
        channels = tuple(names)
        found = found.assign(channel=np.argsort(order)[codes])
    planes = plane_table(found)
    check_unique(folder, planes)
    if named:
        planes, more, asked = with_pages(folder.path, planes, channels)
        problems, known["doubts"] = (*problems, *more), (*known["doubts"], *asked)
    return Acquisition(folder.path, layout.name, planes, channels, problems=(*left_out(others), *problems), **known)
