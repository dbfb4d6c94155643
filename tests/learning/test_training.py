"""Training goes on where it was, and tells its history."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cellvote.errors import CancelledError, ClassifierError
from cellvote.learning import classic_training
from cellvote.learning.classic import ClassicModel, read_models
from cellvote.learning.classic_training import train_classic
from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import Split
from cellvote.learning.training import History, TrainingCells
from cellvote.progress import CancelToken, Progress

RANDOM = np.random.default_rng(0)
WELLS = pd.DataFrame({"plate": "P", "well": list("abcdef"), "class_name": list("xxxyyy")})
SPLIT = Split.of_folds(np.array([0, 1, 2] * 2))
WELL = np.repeat(np.arange(6), 10)
CELLS = TrainingCells(codes=(WELL > 2).astype(np.int64), wells=WELLS, well=WELL, n_classes=2, split=SPLIT)
FEATURES = (RANDOM.normal(size=(60, 3)) + 3 * CELLS.codes[:, None]).astype(np.float32)


def train(folder: Path, architecture: str = "forest", cancel_after: int = 99) -> list[ClassicModel]:
    token = CancelToken()

    def report(progress: Progress) -> None:
        assert progress.total == 3
        if progress.done == cancel_after:
            token.cancel()

    settings = TrainSettings(architecture=architecture, n_trees=10)  # type: ignore[arg-type]
    history = History(folder / "history.csv")
    return train_classic(CELLS, FEATURES, settings, folder, jobs=1, history=history, report=report, cancel=token)


@pytest.mark.parametrize("architecture", ["forest", "boosting", "logistic"])
def test_there_is_one_model_for_each_fold_and_it_learns(tmp_path: Path, architecture: str) -> None:
    models = train(tmp_path, architecture)
    assert len(models) == CELLS.n_folds == 3
    for fold, model in enumerate(models):
        held_out = ~CELLS.learned_by(fold)
        said = model.predict_proba(FEATURES[held_out]).argmax(axis=1)
        assert (said == CELLS.codes[held_out]).mean() > 0.8


def test_no_model_is_fitted_on_the_wells_that_it_is_held_to_account_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []

    def spy(features: np.ndarray, codes: np.ndarray, *rest: Any) -> ClassicModel:
        seen.append(features)
        return original(features, codes, *rest)

    original = classic_training.fit_classic
    monkeypatch.setattr(classic_training, "fit_classic", spy)
    train(tmp_path)
    for fold, features in enumerate(seen):
        assert np.array_equal(features, FEATURES[SPLIT.held_out[WELL] != fold])


def test_a_cancelled_training_goes_on_with_the_folds_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = train(tmp_path / "unbroken")
    with pytest.raises(CancelledError):
        train(tmp_path / "broken", cancel_after=2)
    kept = sorted((tmp_path / "broken" / "checkpoint").iterdir())
    assert [path.name for path in kept] == ["fold-0.skops", "fold-1.skops"]
    fitted = []
    original = classic_training.fit_classic
    monkeypatch.setattr(classic_training, "fit_classic", lambda *a: fitted.append(1) or original(*a))
    resumed = train(tmp_path / "broken")
    assert len(fitted) == 1
    for one, other in zip(unbroken, resumed, strict=True):
        assert np.array_equal(one.predict_proba(FEATURES), other.predict_proba(FEATURES))
    assert (tmp_path / "broken" / "history.csv").read_text() == (tmp_path / "unbroken" / "history.csv").read_text()


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "fold-0.skops").write_bytes(b"PK broken")
    with pytest.raises(ClassifierError, match=r"fold-0\.skops"):
        train(tmp_path)


def test_all_models_are_in_one_file(tmp_path: Path) -> None:
    models = train(tmp_path)
    again = read_models(tmp_path / "model.skops")
    for one, other in zip(models, again, strict=True):
        assert np.array_equal(one.predict_proba(FEATURES), other.predict_proba(FEATURES))


def test_the_history_has_a_row_for_each_epoch_and_starts_anew_when_opened(tmp_path: Path) -> None:
    for _ in range(2):
        history = History(tmp_path / "history.csv")
        history.append({"fold": 0, "epoch": 1, "train_loss": 0.5, "device": "cpu", "unknown": 3})
        history.append({"fold": 0, "epoch": 2, "validation_loss": None})
    table = pd.read_csv(tmp_path / "history.csv")
    assert tuple(table) == History.columns
    assert table["epoch"].tolist() == [1, 2]
    assert table["train_loss"].tolist()[0] == 0.5
    assert table["validation_loss"].isna().all()
