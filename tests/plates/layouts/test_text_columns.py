"""Columns of texts: each different text is read once, however many names have it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.errors import LayoutError
from cellvote.plates.layouts.text_columns import TextColumn, find_groups


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=4))))
def test_every_name_keeps_its_text(texts: list[str | None]) -> None:
    column = TextColumn.of(texts)
    assert [column.values[code] for code in column.codes] == texts
    assert len(set(column.values)) == len(column.values)


def test_each_text_is_read_once() -> None:
    read: list[str] = []
    column = TextColumn.of(["3", "4", "3", None])
    assert column.read(lambda text: read.append(text) or int(text), ["a", "b", "c", "d"], "field", 1) == [3, 4, 1]
    assert read == ["3", "4"]


def test_the_first_name_that_cannot_be_read_is_told() -> None:
    with pytest.raises(LayoutError, match=r"^b\.tif: .*'x'.*\. Rename it\.$"):
        TextColumn.of(["3", "x", "x"]).read(int, ["a.tif", "b.tif", "c.tif"], "field", advice="Rename it.")
    with pytest.raises(LayoutError, match=r"^b\.tif: the pattern leaves its well out"):
        TextColumn.of(["A01", None]).texts(str, ["a.tif", "b.tif"], "well")


@given(st.lists(st.sampled_from(["a1", "b2", "x/c3", "?", "x/?"]), max_size=1200))
def test_groups_and_what_does_not_fit_are_found_in_any_number_of_names(paths: list[str]) -> None:
    pattern = re.compile(r"([a-z])(\d)")
    again = lambda path: pattern.fullmatch(path.rpartition("/")[2])  # noqa: E731
    (letters, digits), unfit = find_groups(paths, 2, pattern.fullmatch, again)
    fitting = [path for path in paths if "?" not in path]
    assert ["".join(pair) for pair in zip(letters, digits, strict=True)] == [path[-2:] for path in fitting]
    assert [paths[i] for i in unfit] == [path for path in paths if "?" in path]
