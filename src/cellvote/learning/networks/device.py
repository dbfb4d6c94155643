"""Where torch computes, for networks that are trained."""

from cellvote.device import choose_device

__all__ = ["choose_device"]
