"""The ledger of a step survives a kill at any moment."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from cellvote.errors import StudyError
from cellvote.plates.acquisition import FieldKey
from cellvote.study.ledger import FieldRecord, Ledger

DONE = FieldRecord("P", "A01", 1, status="done", n_cells=7, checksum="c", image_hash="h")
FAILED = FieldRecord("P", "A02", 1, status="failed", error="P/A02 field 1: damaged")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watershed" / "fields.parquet"


def journal(path: Path) -> Path:
    return path.with_suffix(".jsonl")


def test_records_come_back_as_they_were(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append(FAILED)
        ledger.append(DONE)
    again = Ledger(path)
    assert again.done() == {FieldKey("P", "A01", 1): DONE}
    assert again.failed() == [FAILED]


def test_closing_leaves_the_table_alone(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append(DONE)
    assert [p.name for p in path.parent.iterdir()] == ["fields.parquet"]


def test_a_later_record_of_a_field_takes_the_place_of_an_earlier_one(path: Path) -> None:
    mended = FieldRecord("P", "A02", 1, status="done", n_cells=3)
    for record in (FAILED, mended):
        with Ledger(path) as ledger:
            ledger.append(record)
    assert Ledger(path).records == {mended.key: mended}


def test_a_record_is_on_disk_as_soon_as_it_is_appended(path: Path) -> None:
    with Ledger(path) as ledger:
        ledger.append(DONE)
        assert Ledger(path).done() == {DONE.key: DONE}


def test_an_error_closes_the_ledger_with_what_was_done(path: Path) -> None:
    def stop_halfway() -> None:
        with Ledger(path) as ledger:
            ledger.append(DONE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_halfway()
    assert Ledger(path).done() == {DONE.key: DONE}
    assert not journal(path).exists()


LINE = json.dumps(asdict(FAILED))


@pytest.mark.parametrize("length", [0, 1, 10, len(LINE) - 1, len(LINE)])
def test_a_torn_last_line_is_forgotten_and_the_lines_before_it_are_not(path: Path, length: int) -> None:
    path.parent.mkdir()
    journal(path).write_text(f"{json.dumps(asdict(DONE))}\n{LINE[:length]}", encoding="utf-8")
    expected = {DONE.key: DONE} | ({FAILED.key: FAILED} if length == len(LINE) else {})
    assert Ledger(path).records == expected
    with Ledger(path) as ledger:
        ledger.append(FieldRecord("P", "A03", 1, status="done"))
    assert len(Ledger(path).records) == len(expected) + 1


@pytest.mark.parametrize("line", ["[1, 2]", "null", '{"plate": "P"}', '{"other": 1}', "\udcff\x00"])
def test_a_line_that_is_no_record_is_passed_over(path: Path, line: str) -> None:
    path.parent.mkdir()
    journal(path).write_text(f"{line}\n{LINE}\n", encoding="utf-8", errors="surrogateescape")
    assert Ledger(path).failed() == [FAILED]


def test_a_ledger_that_is_not_open_takes_no_record(path: Path) -> None:
    with pytest.raises(StudyError, match="not open"):
        Ledger(path).append(DONE)


def test_a_ledger_without_records_writes_no_table(path: Path) -> None:
    with Ledger(path):
        pass
    assert not path.exists()
