"""From a folder of images to a report, as a user types it: seconds, and ratios to what cannot be avoided.

    python benchmarks/whole_plate.py IMAGES --plate-map CSV --classes COLUMN=a,b --split-by COLUMN

Without IMAGES the plate is simulated. The limit is the time that decoding every image once takes, on one core and
in the same run; the size is set against the raw images.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tifffile


def main() -> None:
    """Run every command once, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="?", type=Path)
    parser.add_argument("--plate-map", type=Path)
    parser.add_argument("--classes", default="moa")
    parser.add_argument("--split-by", default="well")
    parser.add_argument("--architecture", default="forest")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images, plate_map = arguments.images, arguments.plate_map
        if images is None:
            from cellvote.synthetic import write_plate

            plate = write_plate(Path(folder) / "plate")
            images, plate_map = plate.folder, plate.plate_map_path
        study = Path(folder) / "bench.cellvote"
        maps = ["--plate-map", str(plate_map)] if plate_map else []
        chosen = ["--classes", arguments.classes, "--split-by", arguments.split_by]
        chosen += ["--set", f"architecture={arguments.architecture}", "--name", "m"]
        commands = {
            "create": [str(study), str(images), *maps],
            "segment": [str(study)],
            "measure": [str(study)],
            "train": [str(study), *chosen],
            "predict": [str(study), "m"],
            "vote": [str(study), "m"],
            "evaluate": [str(study), "m"],
            "report": [str(study), "m"],
        }
        decoding_s, raw_bytes = decode_all(images)
        seconds = {name: run(name, rest) for name, rest in commands.items()}
        study_bytes = sum(path.stat().st_size for path in study.rglob("*") if path.is_file())
        result = {
            "architecture": arguments.architecture,
            "seconds": {name: round(s, 2) for name, s in seconds.items()},
            "total_s": round(sum(seconds.values()), 1),
            "decoding_all_images_once_s": round(decoding_s, 2),
            "total_over_decoding": round(sum(seconds.values()) / decoding_s, 1),
            "study_over_raw_bytes": round(study_bytes / raw_bytes, 2),
        }
    print(json.dumps(result, indent=2))


def decode_all(images: Path) -> tuple[float, int]:
    """Decode every TIFF below a folder once: seconds and bytes on disk."""
    paths = sorted(path for path in images.rglob("*") if path.suffix.lower() in {".tif", ".tiff"})
    started = time.perf_counter()
    for path in paths:
        tifffile.imread(path)
    return time.perf_counter() - started, sum(path.stat().st_size for path in paths)


def run(name: str, rest: list[str]) -> float:
    """Run one command of the command line: seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "cellvote", name, *rest]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
