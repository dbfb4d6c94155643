"""Patterns: what they give for each name, made of marks, suggested from names, stopped where they never end."""

import time
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tiny_plates import write_images

from cellvote.errors import LayoutError
from cellvote.plates.layouts import read_plate
from cellvote.plates.layouts.base import Folder, open_folder
from cellvote.plates.layouts.named_groups import GROUPS, PASSED_OVER, pattern_layout
from cellvote.plates.pattern_marks import pattern_of_marks, tokens_of
from cellvote.plates.pattern_process import read_names_safely
from cellvote.plates.pattern_suggestion import suggest_pattern
from cellvote.plates.patterns import NO_MATCH, READ, ROLES, TWICE, UNREADABLE, problem_of, read_names, well_of

WELLS = [(r, c) for r in "ABCDEFGH" for c in range(1, 13)]
PATTERN = r"(?P<well>[A-Z]\d+)_s(?P<field>\d+)_w(?P<channel>\d)\.tif"


def mark(example: str, **parts: str) -> dict[str, tuple[int, int]]:
    """Say which part of an example is what, by its text; a number after # says which of several."""
    marks = {}
    for role, part in parts.items():
        text, _, nth = part.partition("#")
        start = -1
        for _ in range(int(nth or 1)):
            start = example.index(text, start + 1)
        marks[role] = (start, start + len(text))
    return marks


def states(pattern: str, names: list[str], folder: str = "/data/plate") -> list[int]:
    return list(read_names(pattern, [(folder, names)]).state)


def test_the_roles_are_those_that_reading_knows() -> None:
    from cellvote.plates import patterns

    assert set(ROLES) == GROUPS
    assert patterns._PASSED_OVER == PASSED_OVER


@pytest.mark.parametrize(
    ("pattern", "words", "position"),
    [
        ("", "mark the well", None),
        ("(?P<well>[A-Z]", "opened here and never closed", 0),
        ("(?P<well>A))", "never opened", 11),
        ("(?P<well>[A-Z)", "[ is opened", 9),
        ("(?P<well>A)*+*", "nothing before it to repeat", 13),
        ("(?P<well>A)(?P<well>B)", "the group well stands in the pattern twice", 15),
        ("(?P<well A)", "name is not closed", None),
        ("(?P<wel>A)", "mark the well", None),
        ("(?P<row>A)", "mark the column", None),
        ("(?P<well>A)\\", "lone backslash", 11),
        ("x" * 3000, "more than 2,000", None),
    ],
)
def test_what_is_wrong_with_a_pattern_is_said_in_words(pattern: str, words: str, position: int | None) -> None:
    problem = problem_of(pattern)
    assert problem is not None
    assert words in problem.message
    if position is not None:
        assert problem.position == position


@given(st.text(max_size=60))
def test_no_text_makes_the_check_of_a_pattern_fail(pattern: str) -> None:
    problem = problem_of(pattern)
    assert problem is None or problem.message


def test_each_name_is_read_refused_or_found_to_be_read_twice() -> None:
    names = ["A01_s1_w1.tif", "Z99_s1_w1.tif", "notes.tif", "a/B02_s1_w1.tif", "b/a/B02_s1_w1.tif"]
    read = read_names(PATTERN, [("/data/plate", names)])
    assert list(read.state) == [READ, UNREADABLE, NO_MATCH, TWICE, TWICE]
    assert list(read.partner) == [-1, -1, -1, 4, 3]
    assert read.texts(3, names[3]) == {"well": "B02", "field": "1", "channel": "1"}
    assert read.span(2, "well") is None
    assert read.counts["wells"] == 2
    assert read.counts["plates"] == 2


def test_plates_are_named_after_their_folders_unless_the_pattern_says_otherwise() -> None:
    names = ["one/Images/A01_s1_w1.tif", "two/Images/A01_s1_w1.tif"]
    assert states(PATTERN, names) == [READ, READ]
    assert states(PATTERN, ["A01_s1_w1.tif", "x/../A01_s1_w1.tif"], "/data/plate")[0] == READ
    both = read_names(PATTERN, [("/d/one", ["A01_s1_w1.tif"]), ("/d/two", ["A01_s1_w1.tif"])])
    assert both.counts["plates"] == 2


def test_folders_that_the_pattern_reads_are_no_plates() -> None:
    names = [f"P{p}/ZStep_{z}/A01.tif" for p in (1, 2) for z in (1, 2)]
    counts = read_names(r".*/ZStep_(?P<z>\d)/(?P<well>\w\d\d)\.tif", [("/d", names)]).counts
    assert (counts["plates"], counts["z"]) == (2, 2)


@given(
    st.lists(
        st.builds(
            "{}{}{}{}_s{}_w{}.tif".format,
            st.sampled_from(["", "p/", "q/Images/"]),
            st.sampled_from(["", "x_"]),
            st.sampled_from("ABab"),
            st.integers(0, 3),
            st.integers(0, 3),
            st.integers(1, 3),
        ),
        min_size=1,
        max_size=12,
        unique=True,
    )
)
def test_the_table_shows_what_reading_gives(names: list[str]) -> None:
    """What reads without complaint here reads to the same wells, fields and plates there, and the other way round."""
    pattern = r"(?P<well>[A-Za-z]\d+)_s(?P<field>\d+)_w(?P<channel>\d)\.tif"
    read = read_names(pattern, [("/data/plate", names)])
    folder = Folder(Path("/data/plate"))
    folder.__dict__["_listed"] = (tuple(names), ())
    layout = pattern_layout(pattern)
    if UNREADABLE in read.state:
        with pytest.raises(LayoutError):
            layout.table(folder)
        return
    table, others = layout.table(folder)
    assert len(others) == read.number_of(NO_MATCH)
    matched = [i for i, state in enumerate(read.state) if state != NO_MATCH]
    assert [well_of(read.texts(i, names[i])) for i in matched] == (table["well"].tolist() if matched else [])
    fields = [int(read.texts(i, names[i])["field"]) + read.shifts.get("field", 0) for i in matched]
    assert fields == (table["field"].tolist() if matched else [])
    twice = table.duplicated(["plate", "well", "field", "channel"], keep=False).sum() if matched else 0
    assert twice == read.number_of(TWICE)


def test_another_process_reads_the_same() -> None:
    names = ["A01_s1_w1.tif", "Ünïcode/B02_s0_w1.tif", "no.tif", "broken\udcff/C03_s1_w2.tif"]
    folders = [("/data/plate", names[:2]), ("/data/other", names[2:])]
    assert read_names_safely(PATTERN, folders) == read_names(PATTERN, folders)


def test_a_pattern_that_never_ends_is_stopped() -> None:
    started = time.monotonic()
    with pytest.raises(LayoutError, match="stopped after 1 s"):
        read_names_safely(r"(?P<well>(\w+)+)x\d", [("/data", ["a" * 60 + ".tif"])], limit_s=1)
    assert time.monotonic() - started < 10


def test_a_hundred_thousand_names_are_read_in_a_moment() -> None:
    names = [f"{r}{c:02d}_s{s}_w{w}.tif" for (r, c), s, w in product(WELLS, range(261), range(1, 5))]
    assert len(names) > 100_000
    started = time.monotonic()
    assert read_names_safely(PATTERN, [("/data/plate", names)]).number_of(READ) == len(names)
    assert time.monotonic() - started < 5


# Made of marks


def test_marked_parts_become_groups_and_what_varies_between_them_is_let_vary() -> None:
    names = [
        f"exp7_{r}{c:02d}_s{s}_w{w}_{n}.tif" for n, ((r, c), s, w) in enumerate(product(WELLS[:20], (1, 2), (1, 2)))
    ]
    made = pattern_of_marks(names[0], mark(names[0], well="A01", field="1#2", channel="w1"), names)
    assert made == r"exp7_(?P<well>[A-Za-z]+\d+)_s(?P<field>\d+)_(?P<channel>[A-Za-z]+\d+)_\d+\.tif"
    assert states(made, names) == [READ] * len(names)


def test_a_mark_within_a_number_keeps_its_width() -> None:
    names = [f"W{r:02d}{c:02d}F{f:03d}.tif" for r, c, f in product(range(1, 5), range(1, 13), range(1, 4))]
    made = pattern_of_marks(names[0], {"row": (1, 3), "column": (3, 5), "field": (6, 9)}, names)
    assert made == r"W(?P<row>\d{2})(?P<column>\d{2})F(?P<field>\d+)\.tif"
    assert read_names(made, [("/data/plate", names)]).counts["wells"] == 48


def test_a_part_of_a_folder_can_be_marked_and_may_be_missing() -> None:
    names = [f"run/ZStep_{z}/A01_w{w}.tif" for z in (2, 3) for w in (1, 2)] + ["run/A01_w1.tif", "run/A01_w2.tif"]
    made = pattern_of_marks(names[0], mark(names[0], z="2", well="A01", channel="w1", plate="run"), names)
    assert "(?:ZStep_(?P<z>\\d+)/)?" in made
    assert NO_MATCH not in states(made, names)


def test_a_pattern_is_not_widened_to_thumbnails_that_would_read_twice() -> None:
    names = [f"E07_s{s}_w{w}{t}.tif" for s, w, t in product((1, 2), (1, 2, 3), ("", "_thumb"))]
    made = pattern_of_marks(names[0], mark(names[0], well="E07", field="1", channel="w1"), names)
    assert states(made, names) == [READ, NO_MATCH] * 6


def test_words_of_several_kinds_can_be_channels() -> None:
    names = [f"{r}{c:02d}_{ch}.tif" for (r, c), ch in product(WELLS, ("DAPI", "Cy5", "488", "Texas Red"))]
    made = pattern_of_marks("A01_DAPI.tif", mark("A01_DAPI.tif", well="A01", channel="DAPI"), names)
    assert states(made, names) == [READ] * len(names)


@given(st.text(alphabet="aB1_-. (+[é/", min_size=1, max_size=20), st.data())
def test_a_pattern_always_fits_the_name_it_was_made_of(example: str, data: st.DataObject) -> None:
    a = data.draw(st.integers(0, len(example) - 1))
    b = data.draw(st.integers(a + 1, len(example)))
    if "/" in example[a:b]:
        return
    made = pattern_of_marks(example, {"well": (a, b)}, [example])
    assert read_names(made, [("/data", [example])]).span(0, "well") == (a, b)


@given(st.text(max_size=40))
def test_tokens_are_the_whole_name(name: str) -> None:
    assert "".join(token.text for token in tokens_of(name)) == name


# Suggested

NAMINGS = {
    "MetaXpress": ([f"x_{r}{c:02d}_s{s}_w{w}.TIF" for (r, c), s, w in product(WELLS, (1, 2), (1, 2, 3))], 96, 2, 3),
    "BBBC013": (
        [f"Channel{w}-{n:02d}-{r}-{c:02d}.tif" for w in (1, 2) for n, (r, c) in enumerate(WELLS, 1)],
        96,
        1,
        2,
    ),
    "Harmony": (
        [f"r{r:02d}c{c:02d}f{f:02d}p01-ch{w}sk1fk1fl1.tiff" for r, c, f, w in product((2, 3), (4, 5), (1, 2), (1, 2))],
        4,
        2,
        2,
    ),
    "one well": ([f"r03c03f{f:02d}p01-ch1sk1fk1fl1.tiff" for f in (1, 2)], 1, 2, 1),
    "IN Cell": (
        [f"{r} - {c:02d}(fld {f} wv {w} - {w}).tif" for (r, c), f, w in product(WELLS, (1, 2), ("DAPI", "FITC"))],
        96,
        2,
        2,
    ),
    "Cellomics": ([f"AS_09_{r}{c:02d}f{f:02d}d{d}.TIF" for (r, c), f, d in product(WELLS, range(4), (0, 1))], 96, 4, 2),
    "column first": ([f"{c:02d}{r}.tif" for r, c in WELLS], 96, 1, 0),
    "no hints": ([f"e3-{r}{c:02d}-{f}-{w}.tif" for (r, c), f, w in product(WELLS, range(4), (405, 488))], 96, 4, 2),
    "dyes": ([f"p_{r}{c}_{w}.tif" for (r, c), w in product(WELLS, ("DAPI", "Cy5", "488", "Bright-field"))], 96, 1, 4),
    "CV8000": (
        [f"S-2C_{r}{c:02d}_T0001F{f:03d}L01A0{w}Z01C0{w}.tif" for (r, c), f, w in product(WELLS, (1, 2), (1, 2))],
        96,
        2,
        2,
    ),
}


@pytest.mark.parametrize("naming", NAMINGS)
def test_a_suggested_pattern_reads_every_name_once(naming: str) -> None:
    names, n_wells, n_fields, n_channels = NAMINGS[naming]
    suggestion = suggest_pattern(sorted(names))
    assert suggestion is not None
    read = read_names(suggestion.pattern, [("/data/plate", sorted(names))])
    assert set(read.state) == {READ}
    assert read.counts["wells"] == n_wells
    assert read.counts["fields"] == n_fields
    assert read.counts["channels"] == max(n_channels, 1)
    assert ("channel" in read.roles) is (n_channels > 0)


def test_nothing_is_suggested_where_nothing_looks_like_a_well() -> None:
    assert suggest_pattern(["holiday.png", "beach.png"]) is None
    assert suggest_pattern([]) is None


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("sbs_bbbc013", {"wells": 48, "channels": 2, "fields": 1}),
        ("imagexpress_exported", {"wells": 2, "fields": 2, "channels": 3, "z": 3, "plates": 1}),
        ("cv8000", {"wells": 3, "fields": 4, "channels": 2, "z": 4}),
        ("imagexpress", {"wells": 2, "fields": 2, "channels": 3, "z": 10, "plates": 1}),
    ],
)
def test_real_names_are_understood(real_data: Path, folder: str, expected: dict[str, int]) -> None:
    images = open_folder(real_data / folder).images
    suggestion = suggest_pattern(images)
    assert suggestion is not None
    read = read_names_safely(suggestion.pattern, [(str(real_data / folder), images)])
    assert {name: read.counts[name] for name in expected} == expected


def test_a_suggested_pattern_reads_the_plate(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "odd", [f"e3-A{c:02d}-{f}-{w}.tif" for c in (1, 2) for f in (1, 2) for w in "xy"])
    suggestion = suggest_pattern(open_folder(folder).images)
    assert suggestion is not None
    acquisition = read_plate(folder, pattern=suggestion.pattern)
    assert len(acquisition.fields) == 4
    assert acquisition.channels == ("x", "y")
