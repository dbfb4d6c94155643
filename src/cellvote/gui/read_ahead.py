"""Fields that were read and those that are likely next, kept as far as memory allows; no window here."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final, Protocol

from cellvote.errors import CancelledError, CellVoteError, ImageReadError
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.fields import read_channels
from cellvote.plates.pixels import Pixels
from cellvote.study import Study

Channels = list[Pixels | ImageReadError]


class _Warm(Protocol):
    def warm(self, outdated: Callable[[], bool]) -> None: ...


BUDGET_BYTES: Final = 256 * 2**20


class FieldCache:
    """The fields that were read last; a field whose files have changed since is read again.

    Parameters
    ----------
    budget_bytes
        How much memory their pixels may take.
    """

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget = budget_bytes
        self._fields: OrderedDict[tuple[Any, ...], Channels] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, study: Study, key: FieldKey, executor: Executor | None = None) -> Channels:
        """Read the channels of a field, each YX or the reason why not, or give those that were read before."""
        planes = study.planes_of(key)
        name = (study.path, key, *_state_of(study, planes["path"].tolist()))
        with self._lock:
            known = self._fields.get(name)
            if known is not None:
                self._fields.move_to_end(name)
                return known
        read = read_channels(study.source, planes, study.info.channels, key, study.info.reading, executor)
        if not any(isinstance(one, ImageReadError) for one in read):
            self._keep(name, read)
        return read

    def _keep(self, name: tuple[Any, ...], read: Channels) -> None:
        with self._lock:
            self._fields[name] = read
            while len(self._fields) > 1 and sum(map(_bytes_of, self._fields.values())) > self._budget:
                self._fields.popitem(last=False)

    def __len__(self) -> int:
        return len(self._fields)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._fields.clear()


def _state_of(study: Study, paths: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    for path in dict.fromkeys(paths):
        try:
            status = os.stat(study.source / path)  # noqa: PTH116 (once per channel and click)
        except OSError:
            yield path, -1, -1
        else:
            yield path, status.st_size, status.st_mtime_ns


def _bytes_of(read: Channels) -> int:
    return sum(one.nbytes for one in read if not isinstance(one, ImageReadError))


class ReadAhead:
    """Reads fields that may be asked for next, one channel after the other, until something else is wanted.

    Parameters
    ----------
    cache
        Where they go.
    """

    def __init__(self, cache: FieldCache) -> None:
        self._cache = cache
        self._turn = 0

    def start(self, study: Study, keys: Sequence[FieldKey]) -> None:
        """Read these fields, and none that was wanted before."""
        self._turn += 1
        turn = self._turn
        _one_thread().submit(self._read_all, study, keys, lambda: turn != self._turn)

    def warm(self, stack: _Warm) -> None:
        """Read the planes of a stack ahead of its sliders."""
        self._turn += 1
        turn = self._turn
        _one_thread().submit(stack.warm, lambda: turn != self._turn)

    def stop(self) -> None:
        """Leave the disk and the cores to what is wanted now."""
        self._turn += 1

    def _read_all(self, study: Study, keys: Sequence[FieldKey], outdated: Callable[[], bool]) -> None:
        try:
            for key in keys:
                self._cache.read(study, key, _OneByOne(outdated))
        except CellVoteError:
            return  # outdated, or a field that says what is wrong with it when it is looked at


class _OneByOne(Executor):
    """Calls one after the other, and stops in between when it is no longer wanted."""

    def __init__(self, outdated: Callable[[], bool]) -> None:
        self._outdated = outdated

    def map(self, fn: Callable[..., Any], *iterables: Any, **options: Any) -> Iterator[Any]:
        del options
        for arguments in zip(*iterables, strict=True):
            if self._outdated():
                raise CancelledError("another field is wanted")
            yield fn(*arguments)


@lru_cache(maxsize=1)
def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="cellvote-ahead")


@lru_cache(maxsize=1)
def channel_threads() -> ThreadPoolExecutor:
    """Threads that read the channels of a field side by side."""
    return ThreadPoolExecutor(max_workers=max(2, min(os.cpu_count() or 1, 8)), thread_name_prefix="cellvote-channel")
