"""How well nuclei of plates never seen are told apart: ``python benchmarks/mitocheck.py DATA [--recipes NAME …]``.

DATA holds single-cell crops in a folder for each class, their plate in the file name (MitoCheck: Neumann et al.,
Nature 464, 2010). Whole plates are held out; every figure is of crops that the model did not see. Seconds are those
of training, reading and storing images included, and evaluating; the forest is fed measurements of the crop, and of
the nucleus in its middle.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from cellvote.jobs.train import train_study
from cellvote.plates.layouts import read_plate
from cellvote.recipes import settings_of_recipe
from cellvote.study import Study

RECIPES = ("fields", "quick", "forest")


def main() -> None:
    """Train each recipe, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="a folder with a folder of crops for each class")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--split-by", default="plate")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(Path(folder) / "crops", read_plate(chosen.data))
        for recipe in chosen.recipes:
            _train(study, recipe, chosen.split_by, chosen.seed)


def _train(study: Study, recipe: str, split_by: str, seed: int) -> None:
    given = {"unit": "field", "split_by": split_by, "seed": seed, "leaks": "report"}
    settings = settings_of_recipe(recipe, given)
    wall, processor = time.perf_counter(), time.process_time()
    metrics = train_study(study, "class_name", settings=settings, name=recipe, device="cpu").info.metrics
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    said = metrics["field"]
    low, high = said["ci95"]
    print(
        f"{recipe:<10} accuracy {said['accuracy']:.3f} ({low:.3f}–{high:.3f})   "
        f"balanced {said['balanced_accuracy']:.3f}   F1 {said['f1_macro']:.3f}   n {said['n']:,}   "
        f"{wall:.0f} s ({processor:.0f} s of processor time)",
        flush=True,
    )
    for name in ("majority", "measurements"):
        beside = metrics["baselines"].get(name)
        if beside and beside.get("field"):
            print(f"   {name:<14} accuracy {beside['field']['accuracy']:.3f}", flush=True)
    recalls = zip(metrics["classes"], said["per_class"], strict=True)
    print("   recall: " + ", ".join(f"{name} {one['recall']:.2f}" for name, one in recalls), flush=True)
    for note in metrics["notes"]:
        print(f"   note: {note}", flush=True)


if __name__ == "__main__":
    main()
