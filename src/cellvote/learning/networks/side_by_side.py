"""Folds side by side on a CPU: a process for each, which share out the cores among them.

A small network leaves most of a second core idle: what it computes is too little to be cut in two. Another network on
the other core loses nothing. A process trains a fold up to its last checkpoint; who started it reads the weights there,
as a run does that was cut and goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil
import torch

from cellvote.errors import ClassifierError, WorkerError
from cellvote.learning.examples import Examples
from cellvote.learning.network_training import FoldPlan, NetworkTraining, plan_fold
from cellvote.learning.networks.elsewhere import HistoryReader, received, sent, sent_bytes, tell_nobody
from cellvote.learning.networks.fit import OnEpoch
from cellvote.learning.networks.folds import fit_of, train_fold
from cellvote.processes import WorkerPool, default_workers, may_start_processes, pool_token
from cellvote.progress import CancelToken
from cellvote.study.atomic import read_json, write_json

_CPU: Final = torch.device("cpu")
_LOOK_EVERY_S: Final = 0.2

_WORTH_PIXELS: Final = 20_000_000
"""How many pixels all networks must be shown before processes are started for them. A core shows `small-resnet` about a
million in a second, so that this is 20 s of work; a process is ready after 3 s of importing torch, and halves it."""

_PROCESS_BYTES: Final = 600 * 2**20
"""What a process takes with torch and all else imported."""

_COPIES_OF_WEIGHTS: Final = 12
"""Weights, gradients, two moments, the best so far, an average, and all but the gradients again in a checkpoint."""

_BYTES_PER_PIXEL: Final = 2000
"""What networks keep of each pixel of a batch to learn from it: about 450 numbers in a ResNet-50."""

_SHARE_OF_MEMORY: Final = 0.8


@dataclass(frozen=True)
class SharedCores:
    """How folds share the cores of this machine.

    Attributes
    ----------
    at_once
        How many folds are trained at a time; with 1 in this process.
    threads
        On how many threads each is trained: the last digits of its weights hang on that.
    """

    at_once: int
    threads: int


def share_cores(training: NetworkTraining, workers: int) -> SharedCores:
    """Choose how many folds are trained at a time: as there are cores, where memory and what there is to do allow it.

    The threads follow from the machine and from what is trained, not from what else runs at the moment.

    Parameters
    ----------
    workers
        At most so many processes; with 1, fold after fold on all cores.
    """
    most = min(training.cells.n_folds, workers, default_workers())
    if most == 1 or not may_start_processes() or _pixels_shown(training) < _WORTH_PIXELS:
        return SharedCores(1, torch.get_num_threads())
    needed, memory = _bytes_needed(training), psutil.virtual_memory()
    most = max(1, min(most, int(_SHARE_OF_MEMORY * memory.total / needed)))
    threads = max(1, min(torch.get_num_threads(), default_workers() // most))
    return SharedCores(max(1, min(most, int(memory.available / needed))), threads)


def _pixels_shown(training: NetworkTraining) -> int:
    plans = (plan_fold(training, fold) for fold in range(training.cells.n_folds))
    times = sum(len(one.rows) * one.settings.epochs for plan in plans for one in plan.networks)
    return times * _pixels_of(training.examples_of(0))


def _pixels_of(examples: Examples) -> int:
    """How many pixels an example has, in all channels."""
    images = [one for stream in examples.streams for one in stream]
    return sum(len(one.channels) * one.array.shape[2] * one.array.shape[3] for one in images)


def _bytes_needed(training: NetworkTraining) -> int:
    """Estimate how much memory a process needs that trains a fold."""
    examples = training.examples_of(0)
    tensors: list[torch.Tensor] = list(training.build(0).state_dict().values())
    weights = sum(one.numel() * one.element_size() for one in tensors)
    batch = training.settings.batch_size * _pixels_of(examples) * _BYTES_PER_PIXEL
    return _PROCESS_BYTES + sent_bytes(examples) + _COPIES_OF_WEIGHTS * weights + batch


@contextmanager
def keeping_threads(cores: SharedCores, folder: Path) -> Iterator[SharedCores]:
    """Train on the threads that this training began with, and leave torch as it was.

    A run that was cut may go on beside other programs, or with other ``workers``: its weights come out the same.

    Parameters
    ----------
    folder
        Of the classifier.

    Yields
    ------
    SharedCores
        What the cores allow with these threads.

    Raises
    ------
    ClassifierError
        Where what was noted of them is damaged.
    """
    note = folder / "checkpoint" / "threads.json"
    if not note.exists():
        write_json(note, {"threads": cores.threads})
    threads = read_json(note).get("threads")
    if not isinstance(threads, int) or threads < 1:
        raise ClassifierError(f"{note}: should hold a number of threads. Delete it, and run the same command again.")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield SharedCores(max(1, cores.at_once * cores.threads // max(threads, cores.threads)), threads)
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class _SentExamples:
    """The examples of one fold, in another process."""

    examples: Examples

    def __call__(self, fold: int) -> Examples:
        del fold
        return received(self.examples)


def train_side_by_side(
    training: NetworkTraining,
    plans: Sequence[FoldPlan],
    folder: Path,
    cores: SharedCores,
    *,
    on_epoch: OnEpoch,
    on_folds: Callable[[Sequence[int]], None],
    cancel: CancelToken,
) -> None:
    """Train the folds that are not done, in processes, up to their last checkpoints; a single one is left as it is.

    Parameters
    ----------
    folder
        Of the classifier.
    on_epoch
        Told the row of each epoch as it is done, also of those that checkpoints bring.
    on_folds
        Told the folds that are trained from now on, whenever these change.

    Raises
    ------
    CancelledError
        Where it was cancelled: every process stops within a batch.
    WorkerError
        Where a process died. What it and the others had done is in their checkpoints.
    Exception
        What one of them raised; the others are stopped.
    """
    _SideBySide(training, plans, folder, cores, on_epoch, on_folds, cancel).go()


class _SideBySide:
    """The folds that wait, and those that are being trained."""

    def __init__(
        self,
        training: NetworkTraining,
        plans: Sequence[FoldPlan],
        folder: Path,
        cores: SharedCores,
        on_epoch: OnEpoch,
        on_folds: Callable[[Sequence[int]], None],
        cancel: CancelToken,
    ) -> None:
        self.training, self.folder, self.cores = training, folder, cores
        self.on_folds, self.cancel = on_folds, cancel
        self.readers = [
            [HistoryReader(fit_of(training, one, folder, _CPU), on_epoch) for one in plan.networks] for plan in plans
        ]
        self._tell_new()
        done = [all(reader.finished for reader in readers) for readers in self.readers]
        self.waiting = [plan for plan, finished in zip(plans, done, strict=True) if not finished]
        self.running: dict[Future[None], int] = {}

    def go(self) -> None:
        """Train them all."""
        at_once = min(self.cores.at_once, len(self.waiting))
        if at_once < 2:
            return
        pool = WorkerPool(at_once)
        try:
            while self.waiting or self.running:
                self.cancel.raise_if_cancelled()
                while self.waiting and len(self.running) < at_once:
                    self._begin(pool, self.waiting.pop(0))
                self._take_finished()
        except BrokenProcessPool as error:
            self.cancel.raise_if_cancelled()  # Ctrl-C in a terminal may kill a process that is only starting
            raise _died(self.running.values()) from error
        finally:
            pool.shutdown(cancel_futures=True)  # those that are at work stop within a batch

    def _begin(self, pool: WorkerPool, plan: FoldPlan) -> None:
        examples = _SentExamples(sent(self.training.examples_of(plan.fold)))
        training = replace(self.training, examples_of=examples)
        future = pool.submit(_train_fold_here, training, plan, self.folder, self.cores.threads)
        self.running[future] = plan.fold
        self.on_folds(sorted(self.running.values()))

    def _take_finished(self) -> None:
        finished, _ = wait(self.running, timeout=_LOOK_EVERY_S, return_when=FIRST_COMPLETED)
        self._tell_new()
        for future in finished:
            future.result()  # raises what went wrong there
        for future in finished:
            del self.running[future]
        if finished and not self.waiting:
            self.on_folds(sorted(self.running.values()))

    def _tell_new(self) -> None:
        for readers in self.readers:
            for reader in readers:
                reader.tell_new()


def _died(folds: Iterable[int]) -> WorkerError:
    numbers = [str(fold + 1) for fold in sorted(folds)]
    which = f"one of the folds {', '.join(numbers)}" if len(numbers) > 1 else f"fold {numbers[0]}"
    return WorkerError(
        f"the process that trained {which} died, most often for want of memory. What was done is kept: close other "
        "programs and run again, or run again with --workers 1 (workers=1), which trains one fold after the other."
    )


def _train_fold_here(training: NetworkTraining, plan: FoldPlan, folder: Path, threads: int) -> None:
    """Train a fold in this process, a worker; its checkpoints are what comes of it."""
    torch.set_num_threads(threads)
    train_fold(training, plan, folder, _CPU, on_epoch=tell_nobody, cancel=pool_token())
