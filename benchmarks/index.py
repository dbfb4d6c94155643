"""From a folder of 69,120 files to a browsable index: ratios to a bare recursive listing, in the same run.

    python benchmarks/index.py [--wells N] [--kinds operetta metaxpress unrelated]

384 wells × 9 fields × 5 channels × 4 z-planes, as empty files with the names of an Operetta and of MetaXpress. The
limit is 8 × the bare listing; the peer, a plain regular expression and pandas, shows what a script takes. Ratios are
medians over nine rounds of all three. Each layout is read in a process of its own, for the memory. Also: how soon
100,000 files of nothing known are refused.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROWS, COLUMNS, FIELDS, CHANNELS, PLANES = 16, 24, 9, 5, 4
LIMITS = {"read_over_listing": 8.0, "extra_memory_mb": 300.0, "second_opening_s": 0.3}
PEER = {
    "operetta": r"r(?P<row>\d+)c(?P<column>\d+)f(?P<field>\d+)p(?P<z>\d+)-ch(?P<channel>\d+)sk1fk1fl1\.tiff",
    "metaxpress": r".*/ZStep_(?P<z>\d+)/.*_(?P<row>[A-P])(?P<column>\d+)_s(?P<field>\d+)_w(?P<channel>\d)\.TIF",
}


def main() -> None:
    """Make the folders, measure each in its own process, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wells", type=int, default=ROWS * COLUMNS)
    parser.add_argument("--kinds", nargs="+", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--measure", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        kind, folder = arguments.measure
        print(json.dumps(measure_unrelated(folder) if kind == "unrelated" else measure(kind, folder)))
        return
    result: dict[str, Any] = {"limits": LIMITS}
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory() as folder:
            touch(Path(folder), NAMES[kind](arguments.wells))
            command = [sys.executable, __file__, "--measure", kind, folder]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result[kind] = json.loads(done.stdout)
    print(json.dumps(result, indent=2))


def places(n_wells: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Give row, column, field, channel and z of every image, counted from 1."""
    for well in range(n_wells):
        row, column = divmod(well, COLUMNS)
        for field in range(1, FIELDS + 1):
            for channel in range(1, CHANNELS + 1):
                for z in range(1, PLANES + 1):
                    yield row + 1, column + 1, field, channel, z


def operetta(n_wells: int) -> Iterator[str]:
    """Name the images as an Operetta does, without an index."""
    for row, column, field, channel, z in places(n_wells):
        yield f"Plate/Images/r{row:02d}c{column:02d}f{field:02d}p{z:02d}-ch{channel}sk1fk1fl1.tiff"


def metaxpress(n_wells: int) -> Iterator[str]:
    """Name the images as MetaXpress exports them."""
    for row, column, field, channel, z in places(n_wells):
        yield f"Plate/TimePoint_1/ZStep_{z}/Screen_{chr(64 + row)}{column:02d}_s{field}_w{channel}.TIF"


def unrelated(n_wells: int) -> Iterator[str]:
    """Name 100,000 files that are no plate, or as many as there are wells for."""
    for i in range(min(100_000, 1000 * n_wells)):
        yield f"{i // 1000:03d}/note {i}.dat"


NAMES: dict[str, Callable[[int], Iterator[str]]] = {
    "operetta": operetta,
    "metaxpress": metaxpress,
    "unrelated": unrelated,
}


def touch(folder: Path, names: Iterator[str]) -> None:
    """Make empty files."""
    made: set[str] = set()
    for name in names:
        below = name.rpartition("/")[0]
        if below not in made:
            (folder / below).mkdir(parents=True, exist_ok=True)
            made.add(below)
        os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY))


def listing(folder: str, found: list[str] | None = None) -> int:
    """Count every file below a folder, and nothing else; note the paths where a list is given."""
    n_files, waiting = 0, [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                n_files += 1
                if found is not None:
                    found.append(entry.path)
    return n_files


def regex_and_pandas(folder: str, pattern: str) -> Any:
    """Read the names as a script does: one regular expression, one table."""
    import pandas as pd

    compiled = re.compile(f"(?:.*/)?{pattern}")
    paths: list[str] = []
    listing(folder, paths)
    rows = []
    for path in paths:
        match = compiled.fullmatch(path)
        if match:
            rows.append({**match.groupdict(), "path": path})
    table = pd.DataFrame(rows)
    numbers = [name for name in ("column", "field", "z", "channel") if name in table]
    table[numbers] = table[numbers].astype(int)
    return table.sort_values(["row", "column", "field", "z", "channel"], ignore_index=True)


def seconds_of(act: Callable[[], object]) -> float:
    """Run something once: seconds."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def measure(kind: str, folder: str) -> dict[str, Any]:
    """Read one folder: ratios, memory and how many image files were opened."""
    import cellvote
    from cellvote.plates.layouts import read_plate

    opened: list[str] = []
    with tempfile.TemporaryDirectory() as small:  # what is imported or compiled once does not count
        touch(Path(small), operetta(2))
        read_plate(small)
    sys.addaudithook(lambda event, what: opened.append(str(what[0])) if event == "open" else None)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    acquisition = read_plate(folder)
    extra_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    headers = sum(name.lower().endswith((".tif", ".tiff")) for name in opened)
    rounds = [
        (
            seconds_of(lambda: listing(folder)),
            seconds_of(lambda: read_plate(folder)),
            seconds_of(lambda: regex_and_pandas(folder, PEER[kind])),
        )
        for _ in range(9)
    ]
    with tempfile.TemporaryDirectory() as other:
        study = cellvote.Study.create(Path(other) / "study", acquisition)

        def open_again() -> None:
            again = cellvote.Study.open(study.path)
            assert len(again.planes) == len(acquisition.planes)
            assert len(again.fields) == len(acquisition.fields)

        second_s = seconds_of(open_again)
    return {
        **{name: acquisition.summary()[name] for name in ("layout", "wells", "fields", "channels", "planes")},
        "listing_s": round(min(bare for bare, _, _ in rounds), 3),
        "read_s": round(min(read for _, read, _ in rounds), 3),
        "read_over_listing": round(statistics.median(read / bare for bare, read, _ in rounds), 2),
        "peer_over_listing": round(statistics.median(peer / bare for bare, _, peer in rounds), 2),
        "extra_memory_mb": round(extra_mb),
        "image_headers_opened": headers,
        "second_opening_s": round(second_s, 3),
    }


def measure_unrelated(folder: str) -> dict[str, Any]:
    """Say how soon a folder of nothing known is refused."""
    from cellvote.errors import LayoutError
    from cellvote.plates.layouts import read_plate

    message = ""

    def refuse() -> None:
        nonlocal message
        try:
            read_plate(folder)
        except LayoutError as error:
            message = str(error)

    listing_s, refused_s = (min(seconds_of(act) for _ in range(5)) for act in (lambda: listing(folder), refuse))
    return {
        "listing_s": round(listing_s, 3),
        "refused_s": round(refused_s, 3),
        "refused_over_listing": round(refused_s / listing_s, 2),
        "message": message,
    }


if __name__ == "__main__":
    main()
