"""Report 000's three heads on a Vision Transformer that keeps its weights."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from cellvote.learning.architectures.architecture import NetworkShape
from cellvote.learning.networks.image_network import ImageNetwork
from cellvote.learning.networks.initialisation import draw_xavier
from cellvote.learning.networks.timm_backbone import build_backbone

VIT_B32 = "vit_base_patch32_224"


class FrozenViT(ImageNetwork):
    """A frozen ViT-B/32 (768 features of its class token), and dense layers with leaky ReLU (slope 0.2) that learn.

    For two classes it ends in one score, before the sigmoid. With no layer between, 769 parameters learn; with 256,
    128, 64, 32 they are 240,129; with 512, 256, 128, 64, 32 they are 568,321. A grey image is seen as an RGB image of
    three equal channels would be: the filters of the first convolution are added up.
    """

    def __init__(self, shape: NetworkShape, widths: Sequence[int]) -> None:
        self.widths = tuple(widths)
        backbone = build_backbone(VIT_B32, shape)
        super().__init__(backbone.freeze(), backbone.n_features, shape.n_outputs, shape.n_measurements)

    def make_head(self, n_in: int, n_outputs: int) -> nn.Module:
        """Make the dense layers."""
        layers: list[nn.Module] = []
        for before, after in pairwise((n_in, *self.widths)):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2, inplace=True)]
        head = nn.Sequential(*layers, nn.Linear((n_in, *self.widths)[-1], n_outputs))
        draw_xavier(head)  # as Keras does
        return head
