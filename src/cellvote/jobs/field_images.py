"""What can be read of one field: its pixels, its masks and its flows, each read once and only where it is asked for."""

from functools import cached_property

import numpy as np

from cellvote.errors import SegmentationError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels, image_hash
from cellvote.segmentation.flows import compute_flows
from cellvote.study import Study
from cellvote.study.illumination import corrected
from cellvote.study.masks import LabelImage, read_label_image
from cellvote.study.part_images import PartImage, flow_image, mask_image


class FieldReader:
    """Reads one field.

    Attributes
    ----------
    image_hash
        Of its raw pixels; empty until these are asked for.
    """

    def __init__(self, study: Study, segmentation: str, key: FieldKey) -> None:
        self.study, self.segmentation, self.key = study, segmentation, key
        self.image_hash = ""

    @cached_property
    def pixels(self) -> Pixels:
        """CYX, as every step sees them."""
        raw = self.study.read_raw_field(self.key)
        self.image_hash = image_hash(raw)
        return corrected(self.study, self.key, raw)

    @cached_property
    def label_image(self) -> LabelImage:
        """YX."""
        return read_label_image(self.study.mask_path(self.segmentation, self.key))

    @cached_property
    def mask_image(self) -> PartImage:
        """4YX, of the whole field."""
        return mask_image(self.label_image)

    @cached_property
    def flow_image(self) -> PartImage:
        """4YX, of the flows that the segmentation kept, or else of those of its masks."""
        try:
            flows = self.study.read_flows(self.segmentation, self.key)
        except SegmentationError:
            flows = compute_flows(self.label_image)
        if flows.shape[1:] != self.label_image.shape:
            flows = compute_flows(self.label_image)
        return flow_image(np.asarray(flows, np.float32), self.label_image)
