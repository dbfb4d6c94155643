"""Report 001's network: a mask image, a flow image and measurements, weighed by attention."""

import torch
from torch import Tensor, nn

from cellvote.learning.architectures.architecture import NetworkShape
from cellvote.learning.networks.image_network import MEASUREMENT_FEATURES, MeasurementBranch
from cellvote.learning.networks.timm_backbone import build_backbone

ATTENTION_WIDTH = 128
PROJECTION_WIDTH = 512
"""Report 001 states neither width."""


class Fusion(nn.Module):
    """Two EfficientNet-B0 and a measurement branch, attention on their features, a projection and a linear layer.

    The features are 1,280 of the mask image, 1,280 of the flow image and 32 of the measurements: 2,592 in all.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.mask, self.flows = build_backbone("efficientnet_b0", shape), build_backbone("efficientnet_b0", shape)
        self.branch = MeasurementBranch(shape.n_measurements)
        n_joined = self.mask.n_features + self.flows.n_features + MEASUREMENT_FEATURES
        self.attention = nn.Sequential(
            nn.Linear(n_joined, ATTENTION_WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(ATTENTION_WIDTH, n_joined),
            nn.Sigmoid(),
        )
        self.projection = nn.Sequential(nn.Linear(n_joined, PROJECTION_WIDTH), nn.ReLU(inplace=True))
        self.n_features = PROJECTION_WIDTH
        self.head = nn.Linear(PROJECTION_WIDTH, shape.n_outputs)

    def features(self, mask: Tensor, flows: Tensor, measurements: Tensor) -> Tensor:
        """N×4×H×W mask images, N×4×H×W flow images and N×M measurements to N×512, what the head is given."""
        joined = torch.cat([self.mask(mask), self.flows(flows), self.branch(measurements)], dim=1)
        projected: Tensor = self.projection(joined * self.attention(joined))
        return projected

    def forward(self, mask: Tensor, flows: Tensor, measurements: Tensor) -> Tensor:
        """N×4×H×W mask images, N×4×H×W flow images and N×M measurements to N×K scores."""
        scores: Tensor = self.head(self.features(mask, flows, measurements))
        return scores
