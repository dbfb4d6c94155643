"""The small networks that the reports built by hand, layer by layer as they list them."""

import itertools

from torch import nn

from cellvote.learning.architectures.architecture import NetworkShape
from cellvote.learning.networks.image_network import ImageNetwork
from cellvote.learning.networks.initialisation import draw_xavier


class WideCNN(ImageNetwork):
    """Report 000's wider CNN: one convolution, then a dense layer on all of its pixels.

    At 1×64×64 px and two classes it has 3,936,674 parameters.
    """

    def __init__(self, shape: NetworkShape) -> None:
        n_pixels = (shape.height_px - 2) * (shape.width_px - 2)
        backbone = nn.Sequential(
            nn.Conv2d(shape.channels, 32, 3),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(32 * n_pixels, 32),
            nn.ReLU(inplace=True),
        )
        super().__init__(backbone, 32, shape.n_outputs, shape.n_measurements)
        draw_xavier(self)  # as Keras does


class DeepCNN(ImageNetwork):
    """Report 000's deeper CNN: four convolutions with pooling between them, then a dense layer.

    At 1×64×64 px and two classes it has 519,010 parameters.
    """

    def __init__(self, shape: NetworkShape) -> None:
        widths = (shape.channels, 32, 64, 128, 256)
        layers: list[nn.Module] = []
        height, width = shape.height_px, shape.width_px
        for number, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
            if number:
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            layers += [nn.Conv2d(n_in, n_out, 3), nn.ReLU(inplace=True)]
            height, width = height - 2, width - 2
        layers += [nn.Flatten(), nn.Linear(widths[-1] * height * width, 32), nn.ReLU(inplace=True)]
        super().__init__(nn.Sequential(*layers), 32, shape.n_outputs, shape.n_measurements)
        draw_xavier(self)  # as Keras does


class RxRx1Baseline(ImageNetwork):
    """Report 002's base model: two 7×7 convolutions with pooling, then two layers without bias.

    At 6×512×512 px its dense layers are 65,536 → 2,216 → 1,108 for the 1,108 siRNAs: 147,737,984 parameters.
    """

    def __init__(self, shape: NetworkShape) -> None:
        height, width = _quartered(_quartered(shape.height_px)), _quartered(_quartered(shape.width_px))
        backbone = nn.Sequential(
            nn.Conv2d(shape.channels, 16, 7, 2, 3, bias=False),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 64, 7, 2, 3, bias=False),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * height * width, 2216, bias=False),
            nn.ReLU(inplace=True),
        )
        super().__init__(backbone, 2216, shape.n_outputs, shape.n_measurements)

    def make_head(self, n_in: int, n_outputs: int) -> nn.Module:
        """Make the last layer, without bias."""
        return nn.Linear(n_in, n_outputs, bias=False)


def _quartered(size_px: int) -> int:
    """Give what a convolution of stride 2 and a pooling by 2 leave of a side."""
    return (size_px + 1) // 2 // 2
