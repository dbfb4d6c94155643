"""How well nuclei of plates never seen are told apart: ``python benchmarks/mitocheck.py DATA [--recipes NAME …]``.

DATA holds single-cell crops in a folder for each class, their plate in the file name (MitoCheck: Neumann et al.,
Nature 464, 2010). Whole plates are held out; every figure is of crops that the model did not see. Seconds are those
of training, reading and storing images included, and evaluating; the forest is fed measurements of the crop, and of
the nucleus in its middle.

``--other-plates`` sets plates aside before anything is trained, and tries the final model, all folds together, on them:
the first draw of a fifth of them that leaves two thirds of every class to learn from, and sets some of each aside.
Rare classes are on few plates, and nearly all nuclei of some are on one: while that plate is held out by the folds,
there is next to nothing to learn the class from. How the other classes do is said beside.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from cellvote.jobs.predict import predict_study
from cellvote.jobs.train import train_study
from cellvote.learning import load_classifier
from cellvote.plates.layouts import read_plate
from cellvote.recipes import settings_of_recipe
from cellvote.study import Study

RECIPES = ("fields", "quick", "forest")
DRAWS = 10_000
LEAST_LEFT = 20


def main() -> None:
    """Train each recipe, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a folder with a folder of crops for each class")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--split-by", default="plate")
    parser.add_argument("--leaks", default="stop", help="`report` where crops of one movie may be on both sides")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--other-plates", action="store_true", help="try the final model on plates set aside")
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder, data, others = Path(name), chosen.data, None
        if chosen.other_plates:
            data, aside = folder / "learned", folder / "aside"
            _set_aside(chosen.data, data, aside, chosen.seed)
            others = Study.create(folder / "others", read_plate(aside))
        study = Study.create(folder / "crops", read_plate(data))
        for recipe in chosen.recipes:
            _train(study, recipe, {"split_by": chosen.split_by, "seed": chosen.seed, "leaks": chosen.leaks})
            if others is not None:
                _try(others, study, recipe)


def _set_aside(data: Path, learned: Path, aside: Path, seed: int) -> None:
    """Copy the crops into two folders, each plate into one of them."""
    files = sorted(path for path in data.glob("*/*") if path.is_file())
    classes, plates = np.array([f.parent.name for f in files]), np.array([f.name.split("--")[0] for f in files])
    aside_plates = _drawn(pd.crosstab(plates, classes), seed)
    rows = np.flatnonzero(np.isin(plates, aside_plates))
    chosen = set(rows.tolist())
    print(f"set aside: {len(chosen)} crops on {len(aside_plates)} plates", flush=True)
    for i, file in enumerate(files):
        target = (aside if i in chosen else learned) / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _drawn(crops: pd.DataFrame, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    for _ in range(DRAWS):
        plates = random.choice(crops.index.to_numpy(), len(crops) // 5, replace=False)
        share = crops.loc[plates].sum() / crops.sum()
        if share.max() <= 1 / 3 and share.min() > 0:
            return plates
    raise SystemExit(f"no draw of {DRAWS} leaves two thirds of every class to learn from, and sets some aside")


def _train(study: Study, recipe: str, given: dict[str, Any]) -> None:
    settings = settings_of_recipe(recipe, {"unit": "field", "scale": "image"} | given)  # plates hold other classes each
    started = time.perf_counter()
    metrics = train_study(study, "class_name", settings=settings, name=recipe, device="cpu").info.metrics
    took = time.perf_counter() - started
    said = metrics["field"]
    low, high = said["ci95"]
    print(
        f"{recipe:<10} held out by {settings.split_by}: accuracy {said['accuracy']:.3f} ({low:.3f}–{high:.3f})   "
        f"balanced {said['balanced_accuracy']:.3f}   F1 {said['f1_macro']:.3f}   n {said['n']:,}   "
        f"{took:.0f} s, of which {_epochs_s(study, recipe):.0f} s are epochs of all folds, added up",
        flush=True,
    )
    _say_baselines(metrics)
    recalls = zip(metrics["classes"], said["per_class"], strict=True)
    print("   recall: " + ", ".join(f"{name} {one['recall']:.2f}" for name, one in recalls), flush=True)
    recall = pd.Series([one["recall"] for one in said["per_class"]], metrics["classes"])
    _say_learnable(recall, load_classifier(study.model_folder(recipe)).split)
    for note in metrics["notes"]:
        print(f"   note: {note}", flush=True)


def _say_learnable(recall: pd.Series, split: pd.DataFrame) -> None:
    """Say how the classes do that can be learned, whichever plates are held out."""
    in_fold = pd.crosstab(split["class_name"], split["fold"])
    n = in_fold.sum(axis=1)
    left = in_fold.rsub(n, axis=0).where(in_fold > 0).min(axis=1)
    n, recall = n[left >= LEAST_LEFT], recall[left >= LEAST_LEFT]
    print(
        f"   {len(n)} classes with {LEAST_LEFT} or more to learn from in every fold: "
        f"accuracy {(recall * n).sum() / n.sum():.3f}   balanced {recall.mean():.3f}   n {n.sum():,}   (left out: "
        + ", ".join(f"{name} {int(left[name])}" for name in left.index[left < LEAST_LEFT])
        + ")",
        flush=True,
    )


def _epochs_s(study: Study, recipe: str) -> float:
    history = pd.read_csv(study.model_folder(recipe) / "history.csv")
    return float(history["seconds"].sum()) if "seconds" in history else 0.0


def _say_baselines(metrics: dict[str, Any]) -> None:
    for name, beside in metrics["baselines"].items():
        if isinstance(beside, dict) and beside.get("field"):
            print(f"   {name:<14} accuracy {beside['field']['accuracy']:.3f}", flush=True)


def _try(others: Study, study: Study, recipe: str) -> None:
    """Say how the final model does on plates that no fold of it saw."""
    said = predict_study(others, str(study.model_folder(recipe)), device="cpu")
    truth = said.merge(others.plate_map, on=["plate", "field"], how="left", suffixes=("", "_map"))["class_name"]
    recall = recall_score(truth, said["class"], average=None, labels=sorted(set(truth)), zero_division=0)
    print(
        f"   on {said['plate'].nunique()} other plates: accuracy {accuracy_score(truth, said['class']):.3f}   "
        f"balanced {balanced_accuracy_score(truth, said['class']):.3f}   n {len(said):,}\n   recall: "
        + ", ".join(f"{name} {one:.2f}" for name, one in zip(sorted(set(truth)), recall, strict=True)),
        flush=True,
    )


if __name__ == "__main__":
    main()
