"""What an export did."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellvote.study.ledger import FieldRecord


@dataclass(frozen=True)
class ExportSummary:
    """What an export did; ``to_json`` is what the command line prints.

    Attributes
    ----------
    out
        Where it was written.
    failed
        Fields that could not be read, and were left out.
    files
        Names of the files below ``out``, where these are tables.
    notes
        What was not exported as it is, one sentence each.
    """

    format: str
    out: Path
    fields: int
    failed: Sequence[FieldRecord] = ()
    cells: int = 0
    seconds: float = 0.0
    files: Sequence[str] = ()
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Give plain values."""
        failed = [{"plate": r.plate, "well": r.well, "field": r.field, "error": r.error} for r in self.failed]
        return {
            "format": self.format,
            "out": str(self.out),
            "fields": self.fields,
            "failed": failed,
            "cells": self.cells,
            "files": list(self.files),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }
