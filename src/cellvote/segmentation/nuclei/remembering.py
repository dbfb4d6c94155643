"""What was computed of the last images, known again by their pixels: another threshold then costs no network."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import numpy as np

from cellvote.plates.pixels import Pixels

_HASH_BYTES: Final = 16

T = TypeVar("T")


class Memory(Generic[T]):
    """The results of one computation for the last few images.

    Parameters
    ----------
    most
        So many are kept.
    keeps
        Says whether a result is kept; what is large is computed anew instead.
    """

    def __init__(self, most: int, keeps: Callable[[T], bool] = lambda _result: True) -> None:
        self._most, self._keeps = most, keeps
        self._kept: OrderedDict[tuple[Any, ...], T] = OrderedDict()
        self._lock = threading.Lock()

    def recall(self, image: Pixels, how: tuple[Any, ...], compute: Callable[[], T]) -> T:
        """Give the result for an image, computed where it is not kept.

        Parameters
        ----------
        how
            What else the result depends on.
        """
        key = (_name_of(image), *how)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        result = compute()
        if self._keeps(result):
            with self._lock:
                self._kept[key] = result
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return result


def _name_of(image: Pixels) -> tuple[Any, ...]:
    pixels = np.ascontiguousarray(image)
    return pixels.shape, pixels.dtype.str, hashlib.blake2b(pixels.data, digest_size=_HASH_BYTES).digest()
