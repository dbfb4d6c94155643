"""Many targets: one classifier for each column of the plate map, each held to account by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cellvote.errors import CellVoteError, ClassesError
from cellvote.jobs.train import train_study
from cellvote.jobs.training_plan import plan_training
from cellvote.learning.architectures.finding import TIMM
from cellvote.learning.classes import ClassSpec, expand_targets
from cellvote.learning.classifier import ClassifierInfo
from cellvote.learning.settings import TrainSettings
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.recipes import settings_of_recipe
from cellvote.study import Study

LEVELS: Final = ("well", "field", "cell")
"""The level that a target is summed up by: the first that there is."""


@dataclass(frozen=True)
class Target:
    """What became of one target.

    Attributes
    ----------
    target
        As ``--classes`` names it.
    model
        Name of its classifier; empty where there is none.
    dropped
        Why there is none; empty where there is one.
    level
        What ``figures`` are of.
    figures
        ``accuracy``, ``balanced_accuracy``, ``ci95``, ``n``, and for each class its ``precision`` and ``recall``, on
        what was held out.
    baseline
        Balanced accuracy of the place on the plate alone, at the same level; None where it cannot be had.
    """

    target: str
    model: str = ""
    dropped: str = ""
    level: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    baseline: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Give plain values for ``--json``."""
        if self.dropped:
            return {"target": self.target, "dropped": self.dropped}
        return {
            "target": self.target,
            "model": self.model,
            "level": self.level,
            **self.figures,
            "position_balanced_accuracy": self.baseline,
        }


def train_targets(
    study: Study,
    targets: Sequence[str] | Sequence[ClassSpec],
    *,
    settings: TrainSettings | Mapping[str, Any] | None = None,
    name: str = "",
    device: str = "auto",
    overwrite: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> list[Target]:
    """Train one classifier for each target, as report 000 did for each cytokine; a killed run goes on where it was.

    A target with fewer than ``min_wells`` wells in its smallest class, or whose classes cannot be held out, is
    dropped and listed: it does not stop the others.

    Parameters
    ----------
    targets
        As ``--classes`` takes them; ``*`` in a column stands for several.
    name
        Of all classifiers, each followed by its column; the architecture's where it is not given.

    Raises
    ------
    ClassesError
        Where every target was dropped.
    CancelledError
        Where it was cancelled; run again to go on.
    """
    chosen = settings if isinstance(settings, TrainSettings) else settings_of_recipe("", settings or {})
    specs = expand_targets(study.plate_map, [str(target) for target in targets])
    results: list[Target] = []
    for number, spec in enumerate(specs):
        dropped = _reason_to_drop(study, spec, chosen)
        if dropped:
            results.append(Target(str(spec), dropped=dropped))
            continue
        model = target_name(name or chosen.architecture.removeprefix(TIMM), spec)
        classifier = train_study(
            study,
            spec,
            settings=chosen,
            name=model,
            device=device,
            overwrite=overwrite,
            workers=workers,
            scheduler=scheduler,
            report=_one_of(report, number, len(specs), str(spec)),
            cancel=cancel,
        )
        results.append(_summed_up(spec, model, classifier.info))
    if all(one.dropped for one in results):
        raise ClassesError(f"no target is left to train for. {results[0].target}: {results[0].dropped}")
    return results


def target_name(name: str, spec: ClassSpec) -> str:
    """Name the classifier of a target: letters, digits and a few signs of its column, after the common name."""
    column = "".join(c if c.isalnum() or c in "-_." else "_" for c in spec.column)
    return f"{name}-{column}"


def _reason_to_drop(study: Study, spec: ClassSpec, settings: TrainSettings) -> str:
    """Say why a target cannot be learned; empty where it can."""
    try:
        plan = plan_training(study, spec, settings)
    except CellVoteError as error:
        return str(error)
    counts = plan.wells["class_name"].value_counts()
    if counts.min() < settings.min_wells:
        return (
            f"{counts.min()} wells of class {counts.idxmin()!r}, fewer than {settings.min_wells} "
            "(lower --set min_wells= to have it all the same)."
        )
    return ""


def _one_of(report: Report, number: int, total: int, target: str) -> Report:
    """Tell the progress of one target as a part of all."""

    def tell(progress: Progress) -> None:
        share = progress.done / max(progress.total, 1)
        where = f"{target} ({number + 1} of {total}), {progress.where}"
        report(Progress(round(1000 * (number + share)), 1000 * total, where, progress.message))

    return tell


def _summed_up(spec: ClassSpec, model: str, info: ClassifierInfo) -> Target:
    metrics = info.metrics
    level = next(one for one in LEVELS if metrics.get(one))
    found = metrics[level]
    figures = {key: found[key] for key in ("accuracy", "balanced_accuracy", "ci95", "n") if key in found}
    if "per_class" in found:
        names = ("precision", "recall")
        figures["per_class"] = {
            class_name: {key: one.get(key) for key in names}
            for class_name, one in zip(info.classes, found["per_class"], strict=True)
        }
    position = (metrics["baselines"].get("position") or {}).get(level) or {}
    return Target(str(spec), model, "", level, figures, position.get("balanced_accuracy"))
