r"""Reading names by a pattern in a process of its own: a pattern that backtracks without end can be stopped there.

Python's regular expressions know no time limit and let nothing else run meanwhile, so a careless ``(\w+)+x`` would
freeze a window for good. ``python -m cellvote.plates.pattern_process`` reads a request from standard input, and
writes what the pattern gave to standard output; `read_names_safely` runs it, and ends it when its time is up.
"""

import json
import signal
import subprocess
import sys
from array import array
from collections.abc import Sequence
from typing import Final

from cellvote.errors import LayoutError
from cellvote.plates.patterns import NamesRead, problem_of, read_names

LIMIT_S: Final = 5.0
"""Reading 100,000 names by a sound pattern takes less than one second."""

_SEPARATOR: Final = b"\0"


def read_names_safely(
    pattern: str, folders: Sequence[tuple[str, Sequence[str]]], limit_s: float = LIMIT_S
) -> NamesRead:
    """Read many names by a pattern as `read_names` does, or say that it takes too long.

    Raises
    ------
    LayoutError
        Where the pattern cannot be used, or is not done within ``limit_s`` seconds.
    """
    problem = problem_of(pattern)
    if problem is not None:
        raise LayoutError(f"the pattern cannot be used: {problem.message}")
    request = json.dumps({"pattern": pattern, "folders": [(folder, len(names)) for folder, names in folders]})
    listed = (name.encode("utf-8", "surrogateescape") for _, names in folders for name in names)
    try:
        answer = subprocess.run(
            [sys.executable, "-m", "cellvote.plates.pattern_process"],
            input=_SEPARATOR.join((request.encode(), *listed)),
            capture_output=True,
            timeout=limit_s,
            check=True,
        ).stdout
    except subprocess.TimeoutExpired:
        raise LayoutError(
            f"reading the names by this pattern was stopped after {limit_s:g} s: it tries too many ways to fit a name. "
            "Say more exactly what stands between the marked parts, and leave out repeats within repeats."
        ) from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise LayoutError(f"the names cannot be read by this pattern ({said[-1] if said else 'it died'}).") from error
    return _unpacked(answer)


def _packed(read: NamesRead) -> bytes:
    head = {"roles": read.roles, "n": len(read.state), "shifts": read.shifts, "counts": read.counts}
    return json.dumps(head).encode() + b"\n" + read.state + read.partner.tobytes() + read.spans.tobytes()


def _unpacked(answer: bytes) -> NamesRead:
    line, _, rest = answer.partition(b"\n")
    head = json.loads(line)
    n = int(head["n"])
    partner, spans = array("i"), array("h")
    partner.frombytes(rest[n : n + n * partner.itemsize])
    spans.frombytes(rest[n + n * partner.itemsize :])
    return NamesRead(tuple(head["roles"]), rest[:n], partner, spans, head["shifts"], head["counts"])


def main() -> int:
    """Run as a program; it ends by itself, too, where whoever started it is gone and cannot end it."""
    if hasattr(signal, "alarm"):  # the system's own handling: it ends the process in the midst of an expression
        signal.alarm(round(4 * LIMIT_S))
    request, *rest = sys.stdin.buffer.read().split(_SEPARATOR)
    asked = json.loads(request)
    names = [name.decode("utf-8", "surrogateescape") for name in rest]
    folders, start = [], 0
    for folder, n in asked["folders"]:
        folders.append((folder, names[start : start + n]))
        start += n
    sys.stdout.buffer.write(_packed(read_names(asked["pattern"], folders)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
