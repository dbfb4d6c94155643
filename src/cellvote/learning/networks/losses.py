"""Losses: what a network is to make small, example by example, so that batches may be taken in parts."""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellvote.learning.settings import TrainSettings

ARCFACE_MARGIN: Final = 0.5
ARCFACE_SCALE: Final = 30.0
"""The angle and the length that Deng et al. ("ArcFace", 2019) ask for; 30 as there are few classes."""


class ScoreLoss(nn.Module):
    """A loss of scores and targets alone: cross-entropy, focal, binary.

    Parameters
    ----------
    class_weights
        (K,) how much each class weighs.
    """

    class_weights: Tensor

    def __init__(self, kind: str, class_weights: Tensor, label_smoothing: float, focal_gamma: float) -> None:
        super().__init__()
        self.kind, self.label_smoothing, self.focal_gamma = kind, label_smoothing, focal_gamma
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(self, network: nn.Module, streams: tuple[Tensor, ...], targets: Tensor) -> tuple[Tensor, Tensor]:
        """Streams and N×K targets, rows summing to 1, to (N,) losses and the N×K (or N×1) scores."""
        scores: Tensor = network(*streams)
        return self.of_scores(scores, targets), scores

    def of_scores(self, scores: Tensor, targets: Tensor) -> Tensor:
        """N×K scores and targets to (N,) losses, in 32 bits whatever the network computed in."""
        scores = scores.float()
        if self.label_smoothing:
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[1]
        if self.kind == "binary":
            weights = targets @ self.class_weights
            said = functional.binary_cross_entropy_with_logits(scores[:, 0], targets[:, 1], reduction="none")
            return said * weights
        if scores.shape[1] == 1:  # one score of two classes, by another loss: that of the first class is 0
            scores = functional.pad(scores, (1, 0))
        logs = torch.log_softmax(scores, dim=1)
        if self.kind == "focal":  # Lin et al., "Focal loss for dense object detection", 2017
            logs = logs * (1 - logs.exp()) ** self.focal_gamma
        return -(targets * self.class_weights * logs).sum(dim=1)


class ArcFaceLoss(nn.Module):
    """ArcFace (Deng et al. 2019) mixed with cross-entropy, as the winners of RxRx1 trained.

    The direction of each class is learned here, beside the head that predicts; only the head is kept.
    """

    def __init__(self, scores: ScoreLoss, n_features: int, n_classes: int, share: float) -> None:
        super().__init__()
        self.scores, self.share = scores, share
        self.directions = nn.Parameter(torch.empty(n_classes, n_features))
        nn.init.xavier_uniform_(self.directions)

    def forward(self, network: nn.Module, streams: tuple[Tensor, ...], targets: Tensor) -> tuple[Tensor, Tensor]:
        """As `ScoreLoss`."""
        features: Tensor = network.features(*streams)  # type: ignore[operator]
        scores: Tensor = network.head(features)  # type: ignore[operator]
        cosines = functional.linear(functional.normalize(features.float()), functional.normalize(self.directions))
        angles = torch.acos(cosines.clamp(-1 + 1e-6, 1 - 1e-6))
        widened = torch.cos((angles + ARCFACE_MARGIN).clamp(max=math.pi))
        turned = ARCFACE_SCALE * torch.where(targets > 0.5, widened, cosines)
        by_angle = -(targets * self.scores.class_weights * torch.log_softmax(turned, dim=1)).sum(dim=1)
        by_score = self.scores.of_scores(scores, targets)
        return self.share * by_angle + (1 - self.share) * by_score, scores


def make_loss(settings: TrainSettings, class_weights: Tensor, n_features: int) -> ScoreLoss | ArcFaceLoss:
    """Make the loss that the settings ask for.

    Parameters
    ----------
    class_weights
        (K,).
    n_features
        How long the features of the network are; only ArcFace asks for them.
    """
    kind = "cross-entropy" if settings.loss == "arcface" else settings.loss
    plain = ScoreLoss(kind, class_weights, settings.label_smoothing, settings.focal_gamma)
    if settings.loss != "arcface":
        return plain
    return ArcFaceLoss(plain, n_features, len(class_weights), settings.arcface_share)


def probabilities_of(scores: Tensor) -> Tensor:
    """N×K scores to class probabilities; N×1 (one sigmoid output) to those of two classes."""
    scores = scores.double()
    if scores.shape[1] == 1:
        second = torch.sigmoid(scores)
        return torch.cat([1 - second, second], dim=1)
    return torch.softmax(scores, dim=1)
