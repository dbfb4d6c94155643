"""Files that a table names are found below a folder, and never outside of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.errors import LayoutError
from cellvote.plates.layouts.named_files import find_files, is_absolute, named_path

PARTS = st.text("abAB", min_size=1, max_size=2)
FILES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("folder", "name", "path", "absolute"),
    [
        ("Week1/P1", "a.tif", "Week1/P1/a.tif", False),
        ("", "a.tif", "a.tif", False),
        ("./raw//x/.", "a.tif", "raw/x/a.tif", False),
        ("D:\\raw", "a.tif", "D:/raw/a.tif", True),
        ("\\\\server\\raw", "a.tif", "/server/raw/a.tif", True),
        ("", "file:///data/a%20b.tif", "/data/a b.tif", True),
        ("", "file://localhost/data/a.tif", "/data/a.tif", True),
        ("", "file:raw/a.tif", "raw/a.tif", False),
        ("s3://bucket/raw", "a.tif", "s3://bucket/raw/a.tif", True),
        ("~/raw", "a.tif", "~/raw/a.tif", True),
        ("plate", "10:30.tif", "plate/10:30.tif", False),
    ],
)
def test_what_tables_write_becomes_one_path(folder: str, name: str, path: str, absolute: bool) -> None:
    assert named_path(folder, name) == path
    assert is_absolute(path) == absolute


@pytest.mark.parametrize("path", ["..", "../a", "a/../b", "a/..", "..\\a", "file:///a/%2e%2e/b"])
def test_climbing_out_is_refused_wherever_it_stands(path: str) -> None:
    with pytest.raises(LayoutError, match="climbs out"):
        named_path("", path)
    with pytest.raises(LayoutError, match="climbs out"):
        named_path("/data", path) if not path.startswith("file") else named_path(path, "a.tif")


@given(named=st.lists(FILES), files=st.lists(FILES, unique=True), root=st.sampled_from(["", "/data/"]))
def test_only_files_that_are_there_are_given_and_none_for_two_paths(
    named: list[str], files: list[str], root: str
) -> None:
    named = [root + path for path in named]
    found = find_files(named, files, [""], "/plate")
    assert set(found.paths.values()) <= set(files)
    assert len(set(found.paths.values())) == len(found.paths)
    assert set(found.paths) | set(found.missing) == set(named)
    assert all(
        path.rpartition("/")[2].casefold() == file.rpartition("/")[2].casefold() for path, file in found.paths.items()
    )


@given(files=st.lists(FILES, unique=True), data=st.data())
def test_a_path_that_is_there_as_it_stands_is_always_taken(files: list[str], data: st.DataObject) -> None:
    named = data.draw(st.lists(st.sampled_from(files), unique=True)) if files else []
    assert find_files(named, files, [""], "/plate").paths == {path: path for path in named}


def test_the_longest_common_end_decides() -> None:
    files = ["Week1/P1/a.tif", "Week2/P1/a.tif", "Week2/P2/a.tif"]
    named = ["/x/Week2/P1/a.tif", "D:/P2/a.tif"]
    assert find_files(named, files, [""], "/plate").paths == dict(zip(named, files[1:], strict=True))
    assert find_files(["/x/P1/a.tif"], files, [""], "/plate").missing == ("/x/P1/a.tif",)
