"""What lies in folders of images, told for the window by a process of its own; no Qt.

``python -m cellvote.gui.folder_summary`` reads one request after the other from standard input, each a JSON object on
a line, and answers each with one: reading 69,120 names, or a plate map of many sheets, would make the window stutter.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cellvote.errors import CellVoteError
from cellvote.plates.acquisition import PROJECTION, Acquisition
from cellvote.plates.layouts import read_plate
from cellvote.plates.plate_map import CONTROL_TYPE, read_and_join
from cellvote.plates.plate_maps.columns import content_columns

_N_EXAMPLES: Final = 3
_N_NAMED: Final = 500


def summarise(request: dict[str, Any]) -> dict[str, Any]:
    """Read what was asked for.

    Parameters
    ----------
    request
        ``paths``; ``layout``, ``pattern``, ``root`` where they are chosen; ``plate_maps``.

    Returns
    -------
    dict
        ``error``, where the images cannot be read; else what ``inspect --json`` prints, and ``z``, ``projection``,
        ``timepoints``, ``examples``, ``doubts``, ``first_wells``, ``map``.
    """
    try:
        acquisition = read_plate(
            request["paths"], request.get("layout") or None, request.get("pattern") or None, root=request.get("root")
        )
    except CellVoteError as error:
        return {"error": str(error)}
    planes = acquisition.planes
    z = sorted(map(int, planes["z"].unique()))
    wells = sorted(set(acquisition.wells["well"]) - {""})
    return {
        **acquisition.summary(),
        "plates": acquisition.plates[:_N_NAMED],
        "n_plates": len(acquisition.plates),
        "problems": list(acquisition.problems),
        "files": int(planes["path"].nunique()),
        "z": [number for number in z if number != PROJECTION],
        "projection": PROJECTION in z,
        "timepoints": int(planes["timepoint"].nunique()),
        "first_wells": [wells[0], wells[-1]] if wells else [],
        "examples": _examples(acquisition),
        "doubts": [{"kind": d.kind, "question": d.question, "examples": list(d.examples)} for d in acquisition.doubts],
        "map": _map_summary(acquisition, request.get("plate_maps") or []),
    }


def _examples(acquisition: Acquisition) -> list[dict[str, str]]:
    """Files, and what each was read as."""
    files = acquisition.planes.drop_duplicates("path")
    n = len(files)
    files = files.iloc[sorted({(i * n // _N_EXAMPLES + i) % n for i in range(_N_EXAMPLES)})]
    several, over_time = len(acquisition.plates) > 1, acquisition.planes["timepoint"].max() > 1
    examples = []
    for row in files.to_dict("records"):
        parts = [str(row["plate"])] if several else []
        parts += [str(row["well"])] if row["well"] else []
        parts += [f"field {row['field']}", acquisition.channels[int(row["channel"])]]
        parts += [] if row["z"] == 1 else ["projection"] if row["z"] == PROJECTION else [f"z {row['z']}"]
        parts += [f"time {row['timepoint']}"] if over_time else []
        examples.append({"file": str(row["path"]), "read": " · ".join(parts)})
    return examples


def _map_summary(acquisition: Acquisition, plate_maps: Sequence[str]) -> dict[str, Any] | None:
    """What plate maps say of these images; None where there are none."""
    if not plate_maps and acquisition.plate_map is None:
        return None
    try:
        acquisition, table, problems = read_and_join(acquisition, [Path(one) for one in plate_maps])
    except CellVoteError as error:
        return {"error": str(error)}
    columns = content_columns(table)
    described = (table[columns] != "").any(axis=1) if columns else pd.Series(data=False, index=table.index)
    controls = Counter(table[CONTROL_TYPE]) if CONTROL_TYPE in table else Counter()
    return {
        "wells": int((described & table["imaged"]).sum()),
        "imaged": int(table["imaged"].sum()),
        "columns": columns,
        "controls": {name: controls[name] for name in ("negative", "positive")},
        "problems": list(problems),
    }


def main() -> int:
    """Answer requests until standard input ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(summarise(json.loads(line))) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
