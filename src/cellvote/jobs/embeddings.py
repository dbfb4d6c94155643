"""Embeddings of a study: the features that a frozen backbone sees in its cells or fields."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cellvote.jobs.examples import example_table, examples_of, stored_parts, unreadable_fields
from cellvote.learning.embeddings import Embeddings, EmbeddingsFile, compute_embeddings, embeddings_path
from cellvote.learning.inputs import Inputs
from cellvote.learning.scaling import FeedingConstants
from cellvote.learning.settings import TrainSettings
from cellvote.plates.acquisition import FIELD
from cellvote.progress import CancelToken, Report
from cellvote.study import Study
from cellvote.study.image_files import note_of

if TYPE_CHECKING:
    from cellvote.learning.networks.frozen_backbone import FrozenBackbone


def open_backbone_of(inputs: Inputs, settings: TrainSettings) -> "FrozenBackbone":
    """Open the backbone that the settings name, for images as a classifier is to be fed."""
    from cellvote.learning.networks.frozen_backbone import open_backbone

    return open_backbone(
        settings.backbone,
        channels=len(inputs.channels),
        size_px=inputs.size_px or (0, 0),
        pretrained=settings.pretrained,
        weights=settings.weights,
    )


def keep_backbone(folder: Path, backbone: "FrozenBackbone") -> None:
    """Keep the backbone in the classifier's folder, so that it can be used without anything else."""
    from cellvote.learning.networks.frozen_backbone import write_backbone

    folder.mkdir(parents=True, exist_ok=True)
    write_backbone(folder, backbone)


def embed_study(
    study: Study,
    segmentation: str,
    inputs: Inputs,
    backbone: "FrozenBackbone",
    *,
    device: str,
    report: Report,
    cancel: CancelToken,
) -> Embeddings:
    """Give the embeddings of every cell or field of a study: N×F, those on disk where they are current.

    Those of a field that cannot be read are no numbers.
    """
    from cellvote.learning.networks.device import choose_device
    from cellvote.learning.networks.feeding import Feed

    (part,) = stored_parts(inputs, segmentation).values()
    images: dict[str, Any] = {
        "stored": note_of(study, part),
        "channels": list(inputs.channels),
        "scale": inputs.scale,
    }
    table = example_table(study, segmentation, inputs)
    lost = unreadable_fields(study, segmentation, inputs)
    readable = ~pd.MultiIndex.from_frame(table[FIELD]).isin(pd.MultiIndex.from_frame(lost[FIELD]))
    examples = examples_of(study, segmentation, inputs, np.flatnonzero(readable), FeedingConstants())
    file = EmbeddingsFile(embeddings_path(part.path(study), backbone.name), len(examples), images)
    where = choose_device(device)
    feed = Feed(examples, where, cancel=cancel)
    features = compute_embeddings(file, backbone, feed, device=where, report=report, cancel=cancel)
    if readable.all():
        return features
    whole = np.full((len(table), features.shape[1]), np.nan, np.float32)
    whole[readable] = features
    return whole
