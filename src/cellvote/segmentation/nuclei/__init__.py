"""`nuclei`: the built-in model that finds nuclei by flows; its weights are part of the package."""

from cellvote.segmentation.nuclei.settings import NucleiSettings, make_nuclei

__all__ = ["NucleiSettings", "make_nuclei"]
