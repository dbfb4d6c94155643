"""Label images to measurements."""

from cellvote.profiling.measurements import measure_cells

__all__ = ["measure_cells"]
