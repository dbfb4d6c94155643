"""Classic models on measurements, kept with skops: no pickle."""

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cellvote.errors import ClassifierError
from cellvote.study.atomic import writing

Features = npt.NDArray[np.float32]

# What skops raises on files that are damaged, or of another version.
_DAMAGED: Final = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    SyntaxError,
)
MAX_MODEL_BYTES: Final = 4 * 2**30
# What our own models hold beyond what skops trusts by itself; anything else in a file is refused.
_TRUSTED: Final = ["sklearn.tree._tree.Tree", "numpy.dtype"]


class ClassicModel(Protocol):
    """What is used of a scikit-learn classifier."""

    classes_: npt.NDArray[np.int64]

    def predict_proba(self, features: Features) -> npt.NDArray[np.float64]:
        """(N, F) measurements to (N, K) probabilities."""
        ...


def fit_forest(features: Features, codes: npt.NDArray[np.int64], n_trees: int, seed: int, jobs: int) -> ClassicModel:
    """Fit a random forest (Breiman 2001), each class weighing the same."""
    forest = RandomForestClassifier(
        n_trees, min_samples_leaf=2, class_weight="balanced", random_state=seed, n_jobs=jobs
    )
    pipeline: ClassicModel = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), forest)
    pipeline.fit(features, codes)  # type: ignore[attr-defined]
    forest.set_params(n_jobs=1)  # threads would add the trees' votes up in any order, and round differently each time
    return pipeline


def fit_logistic(features: Features, codes: npt.NDArray[np.int64], seed: int) -> ClassicModel:
    """Fit logistic regression on standardised measurements, each class weighing the same."""
    pipeline: ClassicModel = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=5000, class_weight="balanced", random_state=seed),
    )
    with threadpool_limits(1):  # the same sums in the same order on every machine
        pipeline.fit(features, codes)  # type: ignore[attr-defined]
    return pipeline


def write_models(path: Path, models: list[ClassicModel]) -> None:
    """Write one model for each fold into one skops file."""
    import skops.io  # looks through all of scikit-learn, and finds torch on the way

    with writing(path) as temporary:
        skops.io.dump(models, temporary)


def read_models(path: Path) -> list[ClassicModel]:
    """Read the models of a skops file, refusing anything but what our own models are made of.

    Raises
    ------
    ClassifierError
        Where the file is missing, damaged, or holds other types.
    """
    import skops.io

    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ClassifierError(f"{path}: larger than 4 GiB: refused.")
        untrusted = sorted(set(skops.io.get_untrusted_types(file=path)) - set(_TRUSTED))
        if untrusted:
            raise ClassifierError(f"{path}: holds types that could run code ({', '.join(untrusted[:3])}): refused.")
        models: Any = skops.io.load(path, trusted=_TRUSTED)
    except OSError as error:
        raise ClassifierError(f"{path}: cannot be opened ({error.strerror or error}).") from error
    except (*_DAMAGED, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, ClassifierError):
            raise
        raise ClassifierError(f"{path}: is damaged or of another version ({error}). Train again.") from error
    if not isinstance(models, list) or not all(hasattr(model, "predict_proba") for model in models):
        raise ClassifierError(f"{path}: does not hold classifiers. Train again.")
    return models
