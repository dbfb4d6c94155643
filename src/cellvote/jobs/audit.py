"""Audit a split: before anything is fitted, and again whenever somebody asks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cellvote.errors import LeakError, StudyError
from cellvote.jobs.fingerprints import look_at_fields
from cellvote.learning.auditing import Leak, describe_leaks, find_leaks
from cellvote.learning.classifier import Classifier
from cellvote.learning.splits import Split
from cellvote.plates.acquisition import FIELD, field_keys, place_columns
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    model, split_by
        Of the classifier.
    fields
        How many fields were compared.
    leaks
        Pairs of fields on both sides.
    notes
        What was not compared, one sentence each.
    """

    model: str
    split_by: str
    fields: int
    leaks: tuple[Leak, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give plain values for ``--json``."""
        return {
            "model": self.model,
            "split_by": self.split_by,
            "fields": self.fields,
            "leaks": [leak.to_json() for leak in self.leaks],
            "notes": list(self.notes),
        }


def audit_training(
    study: Study,
    fields: pd.DataFrame,
    split: Split,
    wells: pd.DataFrame,
    split_by: str = "",
    *,
    stop: bool = True,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> list[str]:
    """Stop before anything is fitted where the same image stands on both sides of a split.

    Parameters
    ----------
    fields
        One row per field that takes part: ``plate``, ``well``, ``field``.
    split
        Of the wells, row by row.
    wells
        ``plate``, ``well``; ``field`` too where images have no wells.
    stop
        Whether to stop there; else what was found is given back, to stand beside every figure.

    Raises
    ------
    LeakError
        Naming the images and what to do.
    """
    seen = look_at_fields(study, field_keys(fields), report=report, cancel=cancel)
    keys = place_columns(wells)
    well = pd.MultiIndex.from_frame(wells[keys]).get_indexer(pd.MultiIndex.from_frame(seen.table[keys]))
    of_fields = Split(split.held_out[well], split.trains[:, well])
    leaks = find_leaks(seen.table, of_fields, seen.fingerprints)
    if leaks and stop:
        raise LeakError(describe_leaks(leaks, split_by))
    return [describe_leaks(leaks, split_by)] if leaks else []


def audit_study(
    study: Study,
    classifier: Classifier,
    *,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> Audit:
    """Say whether anything stands on both sides of the split of a classifier.

    In the study that it was trained on, both sides are those of each fold. In another study, all of its fields are
    held against all that the classifier learned from.
    """
    info = classifier.info
    at_home = classifier.folder.resolve() == study.model_folder(classifier.folder.name).resolve()
    table = classifier.split.drop_duplicates(FIELD).reset_index(drop=True)
    if at_home:
        seen = look_at_fields(study, field_keys(table), report=report, cancel=cancel)
        merged = seen.table[FIELD].merge(table, on=FIELD, how="left")
        lost = len(table) - len(merged)
        notes = [f"{lost} fields cannot be read any more, and were not compared."] if lost else []
        changed = int((merged["image_hash"].to_numpy() != seen.table["image_hash"].to_numpy()).sum())
        if changed:
            notes.append(f"{changed} fields have other pixels now than when the classifier was trained.")
        leaks = find_leaks(seen.table, Split.from_table(merged), seen.fingerprints)
        return Audit(info.name, info.split_by, len(merged), tuple(leaks), tuple(notes))
    return _audit_elsewhere(study, classifier, table, report, cancel)


def _audit_elsewhere(
    study: Study, classifier: Classifier, learned: pd.DataFrame, report: Report, cancel: CancelToken | None
) -> Audit:
    """Hold the fields of a study against those that a classifier from elsewhere learned from."""
    here = look_at_fields(study, study.fields, report=report, cancel=cancel)
    notes, prints = [], None
    home = _home_of(classifier)
    if home is not None:
        there = look_at_fields(home, field_keys(learned), report=report, cancel=cancel)
        prints = np.concatenate([here.fingerprints, there.fingerprints])
        learned = there.table
    else:
        notes.append(
            "the study that it was trained on is not here: compared by hashes of pixels only, so copies that "
            "were changed are not seen."
        )
    both = pd.concat([here.table[[*FIELD, "image_hash"]], learned[[*FIELD, "image_hash"]]], ignore_index=True)
    is_here = np.arange(len(both)) < len(here.table)
    # One fold: it learns from what is there, and is held to account on what is here.
    split = Split(np.where(is_here, 0, 1), np.stack([~is_here, np.zeros(len(both), bool)]))
    leaks = [leak for leak in find_leaks(both, split, prints) if leak.kind != "same well"]
    return Audit(classifier.info.name, classifier.info.split_by, len(both), tuple(leaks), tuple(notes))


def _home_of(classifier: Classifier) -> Study | None:
    """Open the study that a classifier lies in, where it lies in one."""
    try:
        study = Study.open(classifier.folder.parent.parent)
    except StudyError:
        return None
    return study if classifier.folder.name in study.models else None
