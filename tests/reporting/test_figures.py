import threading

import numpy as np
import pandas as pd
import pytest
from defusedxml import ElementTree
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from cellvote.plates.wells import PLATE_SHAPES, well_name
from cellvote.reporting.colours import class_colours, rgb, share_scale, share_tint
from cellvote.reporting.dose_response import dose_response
from cellvote.reporting.figures import (
    accuracy_figure,
    confusion_figure,
    dose_figure,
    figure_svg,
    share_plate_figure,
    vote_plate_figure,
)
from cellvote.reporting.figures.drawing import literal
from cellvote.reporting.well_table import NO_CELLS, NOT_IMAGED, TIE, VOTED
from cellvote.voting.vote import NO_VOTE

CLASSES = ("neg", "pos")


def plate_of(n_wells: int) -> pd.DataFrame:
    rows, columns = PLATE_SHAPES[n_wells]
    wells = [well_name(r, c) for r in range(1, rows + 1) for c in range(1, columns + 1)]
    share = np.linspace(0.5, 1, len(wells))
    table = pd.DataFrame({"plate": "P", "well": wells, "state": VOTED, "class": "pos", "share": share})
    table["n_cells"], table["share_neg"], table["share_pos"] = 20, 1 - share, share
    table["truth"], table["right"] = "", pd.array([pd.NA] * len(wells), "boolean")
    return table.assign(training=False)


def with_state(state: str) -> pd.DataFrame:
    table = plate_of(6)
    table.loc[0, ["state", "class", "share", "share_neg", "share_pos"]] = [state, "", 0.5, 0.5, 0.5]
    return table


def words_of(figure: Figure) -> list[str]:
    root = ElementTree.fromstring(figure_svg(figure))
    return ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]


def colours_of(figure: Figure) -> set[str]:
    """Every colour that a well is filled with."""
    drawn = [c for axes in figure.axes for c in axes.collections if isinstance(c, EllipseCollection)]
    return {to_hex(colour) for c in drawn for colour in c.get_facecolor()}


@pytest.mark.parametrize("n_wells", sorted(PLATE_SHAPES))
def test_every_plate_that_is_sold_can_be_drawn(n_wells: int) -> None:
    words = words_of(vote_plate_figure(plate_of(n_wells), CLASSES))
    assert f"pos: {n_wells}" in words
    assert "1" in words
    assert "A" in words


@pytest.mark.parametrize("state", [TIE, NO_VOTE, NO_CELLS, NOT_IMAGED])
def test_a_well_without_a_vote_is_in_no_class_colour_and_is_explained(state: str) -> None:
    table = with_state(state)
    alone = table.iloc[:1]
    figure = vote_plate_figure(alone, CLASSES)
    tints = {share_tint(colour, share, 2) for colour in class_colours(2) for share in np.linspace(0, 1, 101)}
    assert not colours_of(figure) & tints
    assert f"{state}: 1" in words_of(vote_plate_figure(table, CLASSES))


def test_in_the_share_view_a_tie_has_its_share_and_too_few_cells_have_none() -> None:
    assert "50" in words_of(share_plate_figure(with_state(TIE), CLASSES, "pos"))
    assert "50" not in words_of(share_plate_figure(with_state(NO_VOTE), CLASSES, "pos"))


def test_training_wells_and_wrong_wells_are_marked() -> None:
    table = plate_of(24)
    assert not [word for word in words_of(vote_plate_figure(table, CLASSES)) if "training" in word]
    table.loc[:1, "training"] = True
    table.loc[3, "right"] = False
    words = words_of(vote_plate_figure(table, CLASSES))
    assert "training well, held out: 2" in words
    assert "differs from the truth: 1" in words


def test_scales_darken_steadily_and_so_survive_grey_printing() -> None:
    light = np.array([0.299, 0.587, 0.114])
    for colour in class_colours(20):
        stops = [float(rgb(stop) @ light) for stop in share_scale(colour)]
        assert stops == sorted(stops, reverse=True)
        tints = [float(rgb(share_tint(colour, share, 2)) @ light) for share in np.linspace(0.5, 1, 5)]
        assert tints == sorted(tints, reverse=True)


@pytest.mark.parametrize("name", ["$x$ and $y", "_hidden", r"\frac{", "<svg onload=x>", "日本", "a\x00b\nc", "x" * 300])
def test_any_name_is_drawn_as_it_is(name: str) -> None:
    figure = confusion_figure([[3, 0], [1, 2]], [0, 0], (name, "other"))
    table = plate_of(6).rename(columns={"share_pos": f"share_{name}"}).assign(**{"class": name})
    words = words_of(figure) + words_of(vote_plate_figure(table, ("other", name)))
    start = literal(name, 20).replace(r"\$", "$").lstrip("\u200a").rstrip("…")
    assert sum(start in word for word in words) >= 3  # rows, columns, legend


def test_a_confusion_matrix_shows_counts_shares_and_those_given_no_class() -> None:
    words = words_of(confusion_figure([[15, 1], [0, 4]], [4, 0], CLASSES, "wells"))
    assert {"75.0 %", "15", "20.0 %", "4", "no vote"} <= set(words)
    assert "no vote" not in words_of(confusion_figure([[15, 1], [0, 4]], [0, 0], CLASSES))


def test_accuracy_leaves_out_levels_that_cannot_be_had() -> None:
    score = {"accuracy": 0.9, "ci95": [0.8, 1.0], "n": 1200}
    level = {"accuracy": 0.5, "balanced_accuracy": 0.5, "n": 12}
    evaluation = {"cell": score, "field": None, "well": {**score, "n": 12, "ci95": None}, "treatment": None}
    evaluation["baselines"] = {"majority": {"well": level, "cell": level}, "position": None, "measurements": None}
    words = words_of(accuracy_figure(evaluation, "forest"))
    assert {"1,200 cells", "12 wells", "commonest class"} <= set(words)
    assert not {"position only", "logistic regression"} & set(words)


@pytest.mark.parametrize("compounds", [False, True])
@pytest.mark.parametrize("classes", [("neg", "pos"), ("neg", "pos", "other")])
def test_a_dose_figure_says_what_its_points_are(compounds: bool, classes: tuple[str, ...]) -> None:
    wells = plate_of(24)
    for name in classes:
        wells[f"share_{name}"] = wells["share_pos"] / 2
    wells.loc[wells["well"] == "A01", "training"] = True
    plate_map = wells[["plate", "well"]].assign(Dose=[f"{10.0 ** (int(w[1:]) - 4):g}" for w in wells["well"]])
    if compounds:
        plate_map["Compound"] = [f"c{w[0]}" for w in wells["well"]]
    words = words_of(dose_figure(dose_response(wells, plate_map, classes, "pos")))
    assert {"Dose, logarithmic", "0.001", "training well (not in the figures)"} <= set(words)
    assert ("cA" if compounds else "row A") in words


def test_the_same_figure_gives_the_same_svg_also_from_many_threads() -> None:
    expected = figure_svg(vote_plate_figure(plate_of(24), CLASSES))
    found: list[bytes] = []
    draw = lambda: found.append(figure_svg(vote_plate_figure(plate_of(24), CLASSES)))  # noqa: E731
    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4
    assert b"dc:date" not in expected


@pytest.mark.parametrize("n_wells", [6, 96, 1536])
def test_a_legend_stays_on_its_sheet(n_wells: int) -> None:
    classes = ("neg", "pos", "a class with a rather long name", "microtubule destabiliser", "other")
    table = plate_of(n_wells).assign(**{f"share_{name}": 0.0 for name in classes[2:]})
    for row, state in enumerate((TIE, NO_VOTE, NO_CELLS, NOT_IMAGED)):
        table.loc[row, ["state", "class"]] = [state, ""]
    table.loc[4, "training"], table.loc[5, "right"] = True, False
    figure = vote_plate_figure(table, classes)
    figure_svg(figure)
    (legend,) = figure.legends
    assert legend.get_window_extent().x1 <= figure.bbox.x1
