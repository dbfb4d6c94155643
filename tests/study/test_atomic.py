"""Atomic writes: a file is there whole, or as it was before."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cellvote.errors import StudyError
from cellvote.study.atomic import (
    file_checksum,
    read_json,
    read_table,
    write_bytes,
    write_json,
    write_table,
    writing,
)


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b.bin", b"new")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"new"


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), StudyError("no")], ids=repr)
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write_half() -> None:
        with writing(path) as temporary:
            temporary.write_bytes(b"ha")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_what_to_do_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fill_disk() -> None:
        with writing(path) as temporary:
            temporary.write_bytes(b"ha")
            raise OSError(28, "No space left on device")

    with pytest.raises(StudyError, match=r"a\.bin: cannot be written \(No space left on device\)\. Free some"):
        fill_disk()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "a", b"")


def test_json_comes_back_as_it_was_and_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    content = {"µ": [1, 2.5, None, "–"], "b": {"a": True}}
    write_json(tmp_path / "a.json", content)
    write_json(tmp_path / "b.json", json.loads(json.dumps(content)))
    assert read_json(tmp_path / "a.json") == content
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_table_comes_back_as_it_was_and_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    table = pd.DataFrame({"well": ["A01", "A02"], "n": [1, 2], "share": [0.5, None]}).astype({"well": "str"})
    write_table(tmp_path / "a.parquet", table)
    write_table(tmp_path / "b.parquet", table.copy())
    pd.testing.assert_frame_equal(read_table(tmp_path / "a.parquet"), table)
    assert read_table(tmp_path / "a.parquet", ["n"]).columns.tolist() == ["n"]
    assert file_checksum(tmp_path / "a.parquet") == file_checksum(tmp_path / "b.parquet")


@pytest.mark.parametrize("read", [read_json, read_table])
def test_what_was_never_written_is_said_so(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(StudyError, match="The step that writes it has not been run"):
        read(tmp_path / "gone")


@pytest.mark.parametrize("content", [b"", b"{", b"PAR1", b"\xff\xfe", b"PAR1 not a table PAR1"])
@pytest.mark.parametrize("read", [read_json, read_table])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, read: object, content: bytes) -> None:
    assert callable(read)
    (tmp_path / "damaged").write_bytes(content)
    with pytest.raises(StudyError, match=r"damaged: cannot be read.*Delete it and run the step again"):
        read(tmp_path / "damaged")
