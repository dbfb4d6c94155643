"""Classic models on measurements, kept with skops: no pickle."""

import warnings
import zipfile
import zlib
from math import ceil
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from cellvote.errors import ClassifierError
from cellvote.learning.settings import TrainSettings
from cellvote.learning.skops_io import skops_io
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
_MOST_FOREST_BYTES: Final = 2**30
_NODE_BYTES: Final = 64
"""Of a tree's node in scikit-learn, beside eight for each class."""

_SHARE_TRIED: Final = 0.2
# What our own models hold beyond what skops trusts by itself; anything else in a file is refused.
_TRUSTED: Final = [
    "sklearn.tree._tree.Tree",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]


class ClassicModel(Protocol):
    """What is used of a scikit-learn classifier."""

    classes_: npt.NDArray[np.int64]

    def predict_proba(self, features: Features) -> npt.NDArray[np.float64]:
        """(N, F) measurements to (N, K) probabilities."""
        ...


def fit_classic(
    features: Features, codes: npt.NDArray[np.int64], settings: TrainSettings, jobs: int = 1
) -> ClassicModel:
    """Fit the scikit-learn model that the settings name: on measurements, or on embeddings.

    Parameters
    ----------
    features, codes
        (N, F) and (N,) class numbers.
    jobs
        How many threads; the result is the same with any number.

    Raises
    ------
    ClassifierError
        Where they name a network.
    """
    weighted = settings.balance == "weights"
    match settings.architecture:
        case "forest":
            return fit_forest(features, codes, settings.n_trees, settings.seed, jobs, weighted=weighted)
        case "boosting":
            return fit_boosting(features, codes, settings.n_rounds, settings.seed, jobs, weighted=weighted)
        case "embeddings":
            return fit_head(features, codes, settings.seed, weighted=weighted)
        case "logistic":
            return fit_logistic(features, codes, settings.seed, weighted=weighted)
        case _:
            raise ClassifierError(f"{settings.architecture} is no model on measurements.")


def fit_forest(
    features: Features, codes: npt.NDArray[np.int64], n_trees: int, seed: int, jobs: int, *, weighted: bool = True
) -> ClassicModel:
    """Fit a forest of extremely randomised trees (Geurts, Ernst & Wehenkel, *Mach. Learn.* 63, 2006).

    Each split is the best of a random cut through each of a fifth of the measurements. Of nuclei of plates never seen
    (MitoCheck) it told more apart than Breiman's random forest did. Trees are grown out, unless they would become too
    large to keep. Each class weighs the same where it is weighted.
    """
    forest = ExtraTreesClassifier(
        n_trees,
        max_features=_SHARE_TRIED,
        min_samples_leaf=_least_in_leaf(len(codes), len(np.unique(codes)), n_trees),
        class_weight=_weight(weighted=weighted),
        random_state=seed,
        n_jobs=jobs,
    )
    pipeline: ClassicModel = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), forest)
    pipeline.fit(features, codes)  # type: ignore[attr-defined]
    forest.set_params(n_jobs=1)  # threads would add the trees' votes up in any order, and round differently each time
    return pipeline


def _least_in_leaf(n_cells: int, n_classes: int, n_trees: int) -> int:
    """How many cells a leaf holds at least, so that a forest holds no more than it may, were each leaf as small."""
    node_bytes = _NODE_BYTES + 8 * n_classes
    return max(1, ceil(n_trees * 2 * n_cells * node_bytes / _MOST_FOREST_BYTES))


def fit_boosting(
    features: Features, codes: npt.NDArray[np.int64], n_rounds: int, seed: int, jobs: int, *, weighted: bool = True
) -> ClassicModel:
    """Fit gradient-boosted trees (Ke et al., LightGBM, 2017), each class weighing the same where it is weighted.

    All rounds are done: stopping early would watch cells of the very wells that are learned from.
    """
    boosting = HistGradientBoostingClassifier(
        max_iter=n_rounds, early_stopping=False, class_weight=_weight(weighted=weighted), random_state=seed
    )
    pipeline: ClassicModel = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), boosting)
    with threadpool_limits(jobs, user_api="openmp"):  # threads share out columns, and add nothing up between them
        pipeline.fit(features, codes)  # type: ignore[attr-defined]
    return pipeline


def fit_logistic(features: Features, codes: npt.NDArray[np.int64], seed: int, *, weighted: bool = True) -> ClassicModel:
    """Fit logistic regression on standardised measurements, each class weighing the same where it is weighted."""
    pipeline: ClassicModel = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=5000, class_weight=_weight(weighted=weighted), random_state=seed),
    )
    with threadpool_limits(1):  # the same sums in the same order on every machine
        pipeline.fit(features, codes)  # type: ignore[attr-defined]
    return pipeline


def fit_head(features: Features, codes: npt.NDArray[np.int64], seed: int, *, weighted: bool = True) -> ClassicModel:
    """Fit logistic regression on the features of a frozen network, each class weighing the same where it is weighted.

    They are many and say much of the same, so weights are held smaller than on measurements (C = 0.01): that is
    what makes it train in seconds, too.
    """
    pipeline: ClassicModel = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=200, tol=1e-3, class_weight=_weight(weighted=weighted), random_state=seed),
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 200 steps are enough for a head
        pipeline.fit(features, codes)  # type: ignore[attr-defined]
    return pipeline


def _weight(*, weighted: bool) -> str | None:
    return "balanced" if weighted else None


def write_models(path: Path, models: list[ClassicModel]) -> None:
    """Write one model for each fold into one skops file."""
    with writing(path) as temporary:
        skops_io().dump(models, temporary)


def read_models(path: Path) -> list[ClassicModel]:
    """Read the models of a skops file, refusing anything but what our own models are made of.

    Raises
    ------
    ClassifierError
        Where the file is missing, damaged, or holds other types.
    """
    skops = skops_io()
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ClassifierError(f"{path}: larger than 4 GiB: refused.")
        untrusted = sorted(set(skops.get_untrusted_types(file=path)) - set(_TRUSTED))
        if untrusted:
            raise ClassifierError(f"{path}: holds types that could run code ({', '.join(untrusted[:3])}): refused.")
        models: Any = skops.load(path, trusted=_TRUSTED)
    except OSError as error:
        raise ClassifierError(f"{path}: cannot be opened ({error.strerror or error}).") from error
    except (*_DAMAGED, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, ClassifierError):
            raise
        raise ClassifierError(f"{path}: is damaged or of another version ({error}). Train again.") from error
    if not isinstance(models, list) or not all(hasattr(model, "predict_proba") for model in models):
        raise ClassifierError(f"{path}: does not hold classifiers. Train again.")
    if not all(_is_sound(model) for model in models):
        raise ClassifierError(f"{path}: a tree in it points outside of itself: refused. Train again.")
    return models


def _is_sound(model: Any) -> bool:
    """Whether every branch of a model's trees leads further down inside its tree, to a column that there is.

    Trees are walked through in C without a look at where they lead: a forged one would read other memory, or go round
    in circles.
    """
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    n_features = int(getattr(last, "n_features_in_", 0))
    if isinstance(last, ExtraTreesClassifier | RandomForestClassifier):  # the latter in classifiers of before
        trees = [one.tree_ for one in last.estimators_]
        return all(
            _leads_down(t.children_left, t.children_right, t.feature, t.children_left == -1, n_features) for t in trees
        )
    if isinstance(last, HistGradientBoostingClassifier):
        nodes = [tree.nodes for trees in last._predictors for tree in trees]  # noqa: SLF001 (nothing public holds them)
        return all(
            not n["is_categorical"].any()
            and _leads_down(n["left"], n["right"], n["feature_idx"], n["is_leaf"] != 0, n_features)
            for n in nodes
        )
    return True


def _leads_down(
    left: npt.NDArray[Any], right: npt.NDArray[Any], column: npt.NDArray[Any], is_leaf: npt.NDArray[Any], n_columns: int
) -> bool:
    own = np.arange(len(left))
    inside = [(own < child) & (child < len(left)) for child in (left.astype(np.int64), right.astype(np.int64))]
    known = (column >= 0) & (column < n_columns)
    return len(left) > 0 and bool((is_leaf | (inside[0] & inside[1] & known)).all())
