"""The study on disk: tables, masks, crops, and atomic writes."""

from cellvote.study.study import Study

__all__ = ["Study"]
