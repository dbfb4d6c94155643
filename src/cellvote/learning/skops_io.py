"""skops, imported without torch and dask."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

_ADAPTERS: Final = "sklearn.externals.array_api_compat."
_KEPT_OUT: Final = tuple(f"{_ADAPTERS}{library}" for library in ("cupy", "dask", "torch"))


class _KeepOut(MetaPathFinder):
    """Says of scikit-learn's adapters to other array libraries that they are not there."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        del path, target
        if name.startswith(_KEPT_OUT):
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)
        return None


def skops_io() -> Any:
    """Import ``skops.io``.

    It lists all estimators of scikit-learn, which looks into each package of it for that: also into those that import
    torch and dask, with no estimator in them. That takes more than a second, of every command that reads a forest.
    """
    keep_out = _KeepOut()
    sys.meta_path.insert(0, keep_out)
    try:
        return importlib.import_module("skops.io")
    finally:
        sys.meta_path.remove(keep_out)
