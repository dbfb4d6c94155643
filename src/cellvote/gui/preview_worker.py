"""The process behind the preview of the Segment dock: segments the field that was asked for last; no window here.

``python -m cellvote.gui.preview_worker`` reads requests as JSON lines from standard input and answers with JSON
lines on standard output. Only the newest request counts: what is being computed for an older one is left off, at
the next line of Python code. It ends when its input ends, so it never outlives its window.

What the settings leave automatic is measured as `cellvote segment` measures it, on fields all over the study.
That takes seconds, so a first answer is given with what was measured before, or with what this field alone says;
it is marked as such, and put right as soon as the plate is measured.
"""

import _thread
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO, cast

import numpy as np

from cellvote.errors import CellVoteError
from cellvote.jobs.segment import open_study
from cellvote.jobs.segment_settings import sample_fields
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.pixels import Pixels
from cellvote.progress import quiet_decoders
from cellvote.segmentation import Segmentation, Segmenter, is_loaded, load_method, make_segmenter
from cellvote.study import Study
from cellvote.study.masks import LabelImage

STARTING: Final = "importing what the method computes with"
FINDING: Final = "finding cells"
MEASURING: Final = "measuring automatic settings on the plate"

_MOST_RESOLVED: Final = 256

_NICE: Final = 5
"""The window goes first: a network takes every core, and the mouse would wait for it."""

Tell = Callable[[dict[str, Any]], None]

# What a field's own pixels, or a setting that suits them badly, can make a numerical library raise.
_FIELD_ERRORS: Final = (ValueError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError)


class _SupersededError(BaseException):
    """Raised inside a computation whose result nobody waits for any more; no ``except Exception`` may catch it."""


@dataclass(frozen=True)
class Request:
    """One field to be segmented.

    Attributes
    ----------
    number
        Comes back with every answer.
    asked
        Settings of the method; what is not named is automatic, or the default.
    masks
        Where label images are to be written, without the ``.npy`` at the end.
    """

    number: int
    study: Path
    key: FieldKey
    method: str
    asked: dict[str, Any]
    masks: str

    def to_line(self) -> str:
        """Write it as a line for the process."""
        said = {"id": self.number, "study": str(self.study), "key": list(self.key), "method": self.method}
        return json.dumps(said | {"settings": self.asked, "masks": self.masks})

    @classmethod
    def from_line(cls, said: dict[str, Any]) -> "Request":
        """Read what `to_line` wrote."""
        plate, well, field = said["key"]
        key = FieldKey(str(plate), str(well), int(field))
        return cls(int(said["id"]), Path(said["study"]), key, said["method"], said["settings"], said["masks"])


class Previewer:
    """Answers requests, and remembers what the next one needs again: pixels, samples, automatic settings.

    Parameters
    ----------
    tell
        Takes each answer as it comes.
    """

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._image: tuple[Path, FieldKey, Pixels] | None = None
        self._sample: tuple[Path, list[Pixels]] | None = None
        self._resolved: dict[str, dict[str, Any]] = {}
        self._last: tuple[Path, str, dict[str, Any], dict[str, Any]] | None = None
        self._written: list[Path] = []

    def answer(self, request: Request) -> None:
        """Segment a field, first with what is known of the automatic settings, then with what the plate says.

        Tells ``masks`` (the path), ``cells``, ``seconds``, ``settings`` (nothing left automatic) and ``sure``
        (whether `cellvote segment` would use just these); and ``done`` with the settings at the end.
        """
        self._written = [path for path in self._written if not _removed(path)]
        study = open_study(request.study)
        image = self._read(study, request)
        known = self._resolved.get(_name_of(request))
        if known is None and len(study.fields) == 1:
            known = self._resolve(request, make_segmenter(request.method, request.asked, study.channels, [image]))
        if known is not None:
            self._segment(request, image, make_segmenter(request.method, known, study.channels, [image]), sure=True)
        else:
            first = make_segmenter(request.method, self._likely(request), study.channels, [image])
            self._remember(request, first.settings.model_dump(mode="json"))
            self._segment(request, image, first, sure=False)
            self._say(request, doing=MEASURING)
            exact = make_segmenter(request.method, request.asked, study.channels, self._read_sample(study))
            known = self._resolve(request, exact)
            if known != first.settings.model_dump(mode="json"):
                self._segment(request, image, exact, sure=True)
        self._remember(request, known)
        self._say(request, done=True, settings=known)

    def _say(self, request: Request, **said: Any) -> None:
        self._tell({"id": request.number, **said})

    def _read(self, study: Study, request: Request) -> Pixels:
        if self._image is None or self._image[:2] != (request.study, request.key):
            self._image = (request.study, request.key, study.read_field(request.key))
        return self._image[2]

    def _read_sample(self, study: Study) -> list[Pixels]:
        if self._sample is None or self._sample[0] != study.path:
            self._sample = (study.path, sample_fields(study))
        return self._sample[1]

    def _remember(self, request: Request, settings: dict[str, Any]) -> None:
        self._last = (request.study, request.method, request.asked, settings)

    def _resolve(self, request: Request, segmenter: Segmenter) -> dict[str, Any]:
        if len(self._resolved) >= _MOST_RESOLVED:
            self._resolved.clear()
        settings = segmenter.settings.model_dump(mode="json")
        self._resolved[_name_of(request)] = settings
        return settings

    def _likely(self, request: Request) -> dict[str, Any]:
        """Take over what was measured for the settings before, where nothing but numbers has changed since.

        Another channel or model makes another diameter: then the field itself is measured.
        """
        if self._last is None or self._last[:2] != (request.study, request.method):
            return request.asked
        _, _, before, measured = self._last
        changed = {name for name in before.keys() | request.asked.keys() if before.get(name) != request.asked.get(name)}
        values = [value for name in changed for value in (before.get(name), request.asked.get(name))]
        if any(isinstance(value, str | bool | list | dict) for value in values):
            return request.asked
        return {name: value for name, value in measured.items() if name not in before} | request.asked

    def _segment(self, request: Request, image: Pixels, segmenter: Segmenter, *, sure: bool) -> None:
        self._say(request, doing=FINDING)
        started = time.monotonic()
        found = _segmented(request, image, segmenter)
        seconds = round(time.monotonic() - started, 3)
        path = Path(f"{request.masks}{'-sure' if sure else ''}.npy")
        self._written.append(path)
        write_masks(path, found.label_image)
        settings = segmenter.settings.model_dump(mode="json")
        self._say(request, masks=str(path), cells=found.n_cells, seconds=seconds, settings=settings, sure=sure)


def _segmented(request: Request, image: Pixels, segmenter: Any) -> Segmentation:
    """Segment an image; a method that needs to know which field it is (masks that are imported) is told."""
    if not hasattr(segmenter, "segment_field"):
        return cast("Segmentation", segmenter.segment(image))
    study = open_study(request.study)
    with tempfile.TemporaryDirectory() as draft:
        segmenter.prepare(study, Path(draft))
        return cast("Segmentation", segmenter.segment_field(image, study, request.key, Path(draft)))


def write_masks(path: Path, label_image: LabelImage) -> None:
    """Write a label image in as few bytes as its label ids need, whole or not at all."""
    small = label_image.astype(np.uint16) if label_image.max(initial=0) < 2**16 else label_image
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.save(file, small, allow_pickle=False)
    temporary.replace(path)


def _removed(path: Path) -> bool:
    """Take away masks that were shown; where the window is just reading them, later."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _name_of(request: Request) -> str:
    return json.dumps([str(request.study), request.method, request.asked], sort_keys=True)


class Inbox:
    """Holds the newest request, and stops what is computed for an older one.

    The computation runs in the main thread, where a signal handler may raise; requests are heard in another.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self._newest: tuple[Request, int] | None = None
        self._to_warm = ""
        self._heard = 0
        self._computing = False
        signal.signal(signal.SIGINT, self._on_interrupted)
        threading.Thread(target=self._listen, daemon=True).start()

    def take(self) -> tuple[Request | str, int]:
        """Wait for a request, and say how many lines were heard up to it; requests before it are forgotten.

        One that was cancelled meanwhile is given, too: `begin` says so, and the window is told. Where nothing else is
        to be done, the name of a method to be made ready is given.
        """
        with self._changed:
            while self._newest is None and not self._to_warm:
                self._changed.wait(3600)
            method, self._to_warm = self._to_warm, ""
            if self._newest is None:
                return method, self._heard
            taken, self._newest = self._newest, None
            return taken

    def begin(self, heard: int) -> None:
        """Begin to compute, unless something newer was heard since; from here on it can be stopped."""
        with self._changed:
            if heard != self._heard:
                raise _SupersededError
            self._computing = True

    def finished(self) -> None:
        """Take note that nothing is computed now: there is nothing to stop."""
        self._computing = False

    def _listen(self) -> None:
        for line in self._stream:
            said = json.loads(line)
            with self._changed:
                if "warm" in said:
                    self._to_warm = str(said["warm"])
                    self._changed.notify()
                    continue
                self._heard += 1
                if "cancel" not in said:
                    self._newest = Request.from_line(said), self._heard
                self._changed.notify()
                if self._computing:
                    _thread.interrupt_main(signal.SIGINT)
        os._exit(0)  # the window is gone: nobody waits for what is being computed

    def _on_interrupted(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if self._computing:
            self._computing = False  # once, and not in what cleans up after it
            raise _SupersededError


def main(methods: list[str]) -> None:
    """Answer requests until the input ends.

    Parameters
    ----------
    methods
        Made ready before anything is answered.
    """
    if hasattr(os, "nice"):
        os.nice(_NICE)
    quiet_decoders()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer

    def tell(said: dict[str, Any]) -> None:
        answers.write(json.dumps(said) + "\n")
        answers.flush()

    inbox, previewer = Inbox(sys.stdin), Previewer(tell)
    for method in methods:
        warm_up(method)
    tell({"ready": True})
    while True:
        request, heard = inbox.take()
        if isinstance(request, str):
            warm_up(request)
            continue
        try:
            if not is_loaded(request.method):
                tell({"id": request.number, "doing": STARTING})
                load_method(request.method)
            inbox.begin(heard)
            try:
                previewer.answer(request)
            finally:
                inbox.finished()
        except _SupersededError:
            tell({"id": request.number, "cancelled": True})
        except CellVoteError as error:
            tell({"id": request.number, "error": str(error)})
        except _FIELD_ERRORS as error:
            tell({"id": request.number, "error": f"{request.key}: {type(error).__name__}: {error}"})


def warm_up(method: str) -> None:
    """Make a method ready; what is wrong with it is told when it is asked for."""
    with suppress(CellVoteError, ImportError, *_FIELD_ERRORS):
        load_method(method)


if __name__ == "__main__":
    main(sys.argv[1:])
