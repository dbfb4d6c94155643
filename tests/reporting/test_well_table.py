import pandas as pd

from cellvote.reporting.well_table import NO_CELLS, NOT_IMAGED, TIE, VOTED, well_table
from cellvote.voting.vote import NO_VOTE, vote


def votes_of(shares: dict[str, tuple[int, int]]) -> pd.DataFrame:
    rows = []
    for well, (n_neg, n_pos) in shares.items():
        rows += [{"plate": "P", "well": well, "neg": 0.9, "pos": 0.1}] * n_neg
        rows += [{"plate": "P", "well": well, "neg": 0.1, "pos": 0.9}] * n_pos
    return vote(pd.DataFrame(rows), ("plate", "well"))


def table_of(shares: dict[str, tuple[int, int]]) -> pd.DataFrame:
    wells = ["A01", "A02", "A03", "A04", "A05", "A06"]
    plate_map = pd.DataFrame({"plate": "P", "well": wells, "imaged": [True] * 5 + [False]})
    truth = pd.DataFrame({"plate": "P", "well": ["A01", "A02", "A03", "A05"], "truth": ["neg", "neg", "neg", "neg"]})
    return well_table(plate_map, votes_of(shares), truth, {("P", "A01")}).set_index("well")


def test_wells_without_a_vote_have_no_class() -> None:
    table = table_of({"A01": (20, 0), "A02": (0, 20), "A03": (10, 10), "A04": (3, 0)})
    expected = {"A01": VOTED, "A02": VOTED, "A03": TIE, "A04": NO_VOTE, "A05": NO_CELLS, "A06": NOT_IMAGED}
    assert table["state"].to_dict() == expected
    assert table["class"].to_dict() == dict.fromkeys(expected, "") | {"A01": "neg", "A02": "pos"}
    assert table["n_cells"].to_dict() == {"A01": 20, "A02": 20, "A03": 20, "A04": 3, "A05": 0, "A06": 0}


def test_only_a_vote_beside_a_truth_is_right_or_wrong() -> None:
    table = table_of({"A01": (20, 0), "A02": (0, 20), "A03": (10, 10), "A04": (3, 0)})
    right = table["right"].astype(object).where(table["right"].notna(), None)
    assert right.to_dict() == {"A01": True, "A02": False, "A03": None, "A04": None, "A05": None, "A06": None}
    assert table["training"].to_dict() == dict.fromkeys(table.index, False) | {"A01": True}


def test_a_well_with_two_truths_has_none() -> None:
    plate_map = pd.DataFrame({"plate": "P", "well": ["A01"], "imaged": [True]})
    truth = pd.DataFrame({"plate": "P", "well": ["A01", "A01"], "truth": ["neg", "pos"]})
    table = well_table(plate_map, votes_of({"A01": (20, 0)}), truth)
    assert table["truth"].tolist() == [""]
    assert table["right"].isna().all()
