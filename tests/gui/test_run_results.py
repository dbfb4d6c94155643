"""What a running segmentation has found so far."""

import numpy as np
import pytest

from cellvote.gui.run_results import RunFollower, histogram
from cellvote.study import Study
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.masks import write_label_image


def cells(n: int, side: int = 4) -> np.ndarray:
    masks = np.zeros((24, 24), np.int32)
    for number in range(n):
        masks[0:side, 6 * number : 6 * number + side] = 2 * number + 1  # segmenters leave gaps
    return masks


def write(study: Study, ledger: Ledger, number: int, n: int, side: int = 4) -> None:
    key = study.fields[number]
    write_label_image(study.mask_path("new", key), cells(n, side))
    ledger.append(FieldRecord(*key, status="done", n_cells=n, checksum=f"{n} {side}"))


def test_fields_are_counted_as_they_come(bare_study: Study) -> None:
    follower = RunFollower(bare_study, "new")
    assert follower.read().n_fields == 0
    with Ledger(bare_study.segmentation_folder("new") / "fields.parquet") as ledger:
        write(bare_study, ledger, 0, 3)
        first = follower.read()
        assert (first.n_fields, first.n_cells, first.sizes.n_cells) == (1, 3, 3)
        write(bare_study, ledger, 1, 1, side=5)
        ledger.append(FieldRecord(*bare_study.fields[2], status="failed", error="the file is truncated"))
        second = follower.read()
    assert (second.n_fields, second.n_cells, second.sizes.n_cells, second.sizes.n_fields) == (2, 4, 4, 2)
    assert [record.error for record in second.failed] == ["the file is truncated"]
    assert second.sizes.median == 16
    assert follower.read() == second, "the same from the table as from the journal"


def test_a_field_that_is_segmented_anew_is_read_anew(bare_study: Study) -> None:
    follower = RunFollower(bare_study, "new")
    with Ledger(bare_study.segmentation_folder("new") / "fields.parquet") as ledger:
        write(bare_study, ledger, 0, 3)
        follower.read()
        write(bare_study, ledger, 0, 2, side=5)
        again = follower.read()
    assert (again.n_cells, again.sizes.n_cells, again.sizes.median) == (2, 2, 25)


def test_sizes_are_read_a_little_at_a_time(bare_study: Study) -> None:
    follower = RunFollower(bare_study, "new")
    with Ledger(bare_study.segmentation_folder("new") / "fields.parquet") as ledger:
        for number in range(4):
            write(bare_study, ledger, number, 2)
    hasty = follower.read(patience_s=-1)
    assert (hasty.n_fields, hasty.sizes.n_fields, hasty.complete) == (4, 0, False)
    rest = follower.read()
    assert (rest.sizes.n_fields, rest.complete) == (4, True)


def test_no_cell_is_left_out_of_the_histogram() -> None:
    areas = [np.array([100] * 990 + [100_000] * 3), np.array([90])]
    sizes = histogram(areas, None)
    assert sum(sizes.counts) + sizes.beyond == sizes.n_cells == 994
    assert sizes.beyond == 3
    assert sizes.unit == "px²"
    assert sizes.edges[-1] < 1000, "three clumps do not squeeze all others"


def test_areas_are_in_micrometres_where_the_pixel_size_is_known() -> None:
    sizes = histogram([np.array([100, 200, 300])], 0.5)
    assert sizes.unit == "µm²"
    assert sizes.median == pytest.approx(50)


def test_cells_of_one_size_make_a_histogram() -> None:
    sizes = histogram([np.array([7, 7, 7])], None)
    assert sum(sizes.counts) == 3
    assert sizes.beyond == 0
    assert histogram([], None).counts == ()
