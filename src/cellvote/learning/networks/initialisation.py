"""How weights are drawn."""

from torch import nn

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def draw_xavier(network: nn.Module) -> None:
    """Draw the weights of all convolutions and linear layers anew, uniformly, after Glorot and Bengio (2010).

    Biases become 0. This is what Keras does unless told otherwise, and what report 004 compares pretraining with.
    """
    for layer in network.modules():
        if isinstance(layer, _LAYERS):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
