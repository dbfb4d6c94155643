"""Cut the plain crops of every cell of a study: padded, with all that is around the cells."""

from cellvote.jobs.stored_images import store_images
from cellvote.progress import CancelToken, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.crops import plain_crops


def cut_study_crops(
    study: Study,
    segmentation: str,
    size_px: int,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> None:
    """Cut the crops of a size, unless they are there and current; a run that was killed goes on where it was.

    Raises
    ------
    StudyError
        Where the disk is too full.
    WorkerError
        Where a field can no longer be read.
    """
    part = plain_crops(segmentation, size_px)
    store_images(study, part, workers=workers, scheduler=scheduler, report=report, cancel=cancel)
