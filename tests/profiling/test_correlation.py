"""Correlation between channels, held against scipy's and against the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cellvote.profiling import measure_cells

NAMES = ("pearson", "overlap", "k1", "k2", "manders1", "manders2")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), threshold=st.sampled_from([0.0, 0.15, 0.6]))
def test_correlations_follow_the_definitions(seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    label_image = random.integers(0, 4, (15, 17)).astype(np.int32)
    image = random.integers(0, 4096, (2, 15, 17)).astype(np.uint16)
    table = measure_cells(image, label_image, ["a", "b"], sets="correlation", correlation_threshold=threshold)
    for row in table.to_dict("records"):
        a, b = image[:, label_image == row["label_id"]].astype(float)
        over_a, over_b = a >= threshold * a.max(), b >= threshold * b.max()
        both = over_a & over_b
        product = (a * b)[both].sum()
        expected = {
            "pearson": stats.pearsonr(a, b).statistic,
            "overlap": product / np.sqrt((a**2)[both].sum() * (b**2)[both].sum()),
            "k1": product / (a**2)[both].sum(),
            "k2": product / (b**2)[both].sum(),
            "manders1": a[both].sum() / a[over_a].sum(),
            "manders2": b[both].sum() / b[over_b].sum(),
        }
        for name, value in expected.items():
            assert row[f"correlation_{name}_a_b"] == pytest.approx(value, rel=1e-9), name


def test_every_pair_of_channels_is_compared_once() -> None:
    table = measure_cells(np.ones((3, 4, 4)), np.ones((4, 4), np.int32), ["a", "b", "c"], sets="correlation")
    pairs = [name.removeprefix("correlation_pearson_") for name in table if name.startswith("correlation_pearson_")]
    assert pairs == ["a_b", "a_c", "b_c"]


def test_a_channel_of_one_value_has_no_correlation() -> None:
    image = np.stack([np.ones((4, 4)), np.arange(16.0).reshape(4, 4)])
    (said,) = measure_cells(image, np.ones((4, 4), np.int32), ["a", "b"], sets="correlation").to_dict("records")
    assert np.isnan(said["correlation_pearson_a_b"])


def test_one_channel_has_no_correlation_columns() -> None:
    table = measure_cells(np.ones((1, 4, 4)), np.ones((4, 4), np.int32), ["a"], sets="correlation")
    assert not [name for name in table if name.startswith("correlation_")]


def test_black_channels_have_no_correlation() -> None:
    (said,) = measure_cells(np.zeros((2, 4, 4)), np.ones((4, 4), np.int32), ["a", "b"], sets="correlation").to_dict(
        "records"
    )
    assert all(np.isnan(said[f"correlation_{name}_a_b"]) for name in NAMES)
