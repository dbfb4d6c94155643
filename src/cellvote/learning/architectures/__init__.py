"""Architectures: what can be trained, by name; building a network is the only thing here that imports torch."""

from cellvote.learning.architectures.architecture import Architecture, NetworkShape
from cellvote.learning.architectures.building import build_architecture, is_network, output_count
from cellvote.learning.architectures.finding import checked_architecture, find_architecture
from cellvote.learning.architectures.registry import ARCHITECTURES, CLASSIC, EMBEDDINGS, NETWORK_BUILDERS

__all__ = [
    "ARCHITECTURES",
    "CLASSIC",
    "EMBEDDINGS",
    "NETWORK_BUILDERS",
    "Architecture",
    "NetworkShape",
    "build_architecture",
    "checked_architecture",
    "find_architecture",
    "is_network",
    "output_count",
]
