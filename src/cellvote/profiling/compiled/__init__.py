"""Loops over pixels, compiled by numba when they are first called.

Only functions that measure import modules of this package: importing numba takes most of a second.

Nothing here runs in parallel, nor in an order that hangs on time, and no arithmetic is loosened (no ``fastmath``):
the same cells give the same bits, whatever the number of workers. The GIL is let go.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Compile a function when it is first called, for the types that it is called with.

    The machine code is kept beside the source, or where that folder cannot be written, in the user's cache, so
    that the next process need not compile; where neither can be written, it compiles again. As numba looks at
    the age of the function's own file only, a compiled function calls none of another file.
    """
    try:
        return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # no folder for the cache can be written
        return cast("F", numba.njit(nogil=True, error_model="numpy")(function))
