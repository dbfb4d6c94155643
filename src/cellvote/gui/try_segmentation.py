"""Segment one field without keeping it: the preview of the Segment dock, in a process of its own.

``python -m cellvote.gui.try_segmentation STUDY PLATE WELL FIELD OUT METHOD SETTINGS`` keeps to the protocol of
the command line: errors as JSON lines on standard error, the result as JSON on standard output. What the
settings leave automatic is measured as `cellvote segment` measures it, so the preview shows what will come.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cellvote.errors import CellVoteError
from cellvote.jobs.segment import sample_fields
from cellvote.plates.acquisition import FieldKey
from cellvote.progress import Progress
from cellvote.segmentation import make_segmenter
from cellvote.study import Study
from cellvote.study.masks import write_label_image

BAD_INPUT = 2


def try_segmentation(study: Study, key: FieldKey, out: Path, method: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Segment one field and write its masks to ``out``.

    Returns
    -------
    dict
        ``masks`` (the path), ``cells`` (how many), ``settings`` (nothing left automatic).
    """
    _tell(Progress(0, 2, "", "measuring what is automatic"))
    segmenter = make_segmenter(method, settings, study.channels, sample_fields(study))
    _tell(Progress(1, 2, str(key), "finding cells"))
    found = segmenter.segment(study.read_field(key))
    write_label_image(out, found.label_image)
    return {"masks": str(out), "cells": found.n_cells, "settings": segmenter.settings.model_dump(mode="json")}


def _tell(progress: Progress) -> None:
    line = {"done": progress.done, "total": progress.total, "where": progress.where, "message": progress.message}
    sys.stderr.write(json.dumps(line) + "\n")
    sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Run as a program; the exit code is that of the command line."""
    path, plate, well, field, out, method, settings = arguments
    try:
        study = Study.open(path)
        result = try_segmentation(study, FieldKey(plate, well, int(field)), Path(out), method, json.loads(settings))
    except CellVoteError as error:
        sys.stderr.write(json.dumps({"error": str(error)}) + "\n")
        return BAD_INPUT
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
