"""What every network on images is made of: features, measurements beside them, and a head."""

import torch
from torch import Tensor, nn

MEASUREMENT_FEATURES = 32
"""How many features measurements become (report 001)."""
MEASUREMENT_DROPOUT = 0.3
"""Report 001 does not state its rate."""


class MeasurementBranch(nn.Sequential):
    """Measurements through Linear, ReLU, batch normalisation and dropout to 32 features (report 001)."""

    def __init__(self, n_measurements: int) -> None:
        super().__init__(
            nn.Linear(n_measurements, MEASUREMENT_FEATURES),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(MEASUREMENT_FEATURES),
            nn.Dropout(MEASUREMENT_DROPOUT),
        )


class ImageNetwork(nn.Module):
    """A backbone on images, a branch for measurements beside it where there are any, and a head on both.

    Attributes
    ----------
    backbone
        N×C×H×W images to N×F features, pooled.
    branch
        N×M measurements to N×32, or none.
    head
        What `features` gives to N×K scores.
    """

    branch: MeasurementBranch | None

    def __init__(self, backbone: nn.Module, n_features: int, n_outputs: int, n_measurements: int = 0) -> None:
        super().__init__()
        self.n_features = n_features
        self.backbone = backbone
        self.branch = MeasurementBranch(n_measurements) if n_measurements else None
        self.head = self.make_head(n_features + (MEASUREMENT_FEATURES if n_measurements else 0), n_outputs)

    def make_head(self, n_in: int, n_outputs: int) -> nn.Module:
        """Make what turns features into scores: one linear layer, unless an architecture says otherwise."""
        return nn.Linear(n_in, n_outputs)

    def features(self, images: Tensor, measurements: Tensor | None = None) -> Tensor:
        """N×C×H×W images, and N×M measurements where it is fed any, to N×F or N×(F + 32), what the head is given."""
        features: Tensor = self.backbone(images)
        if self.branch is not None:
            features = torch.cat([features, self.branch(measurements)], dim=1)
        return features

    def forward(self, images: Tensor, measurements: Tensor | None = None) -> Tensor:
        """N×C×H×W images, scaled to about 0 … 1, and N×M measurements where it is fed any, to N×K scores."""
        scores: Tensor = self.head(self.features(images, measurements))
        return scores
