"""What the command line says, in the words of a dock."""

import pytest

from cellvote.gui.dock_words import in_dock_words
from cellvote.gui.docks.segment import SegmentDock
from cellvote.gui.docks.train import TrainDock
from cellvote.gui.reading_check import in_the_window
from cellvote.learning.settings import TrainSettings
from cellvote.segmentation.imported import ImportSettings


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "several kinds of label images: _a, _b. Choose with --set suffix=… or --set pattern=…",
            "several kinds of label images: _a, _b. Choose with ‘End of their names’ or ‘Pattern of their names’",
        ),
        ("Give a folder: --set masks=FOLDER", "Give a folder: ‘Folder of masks’"),
        ("say --set binary=split where", "say ‘Masks of one value’ = split where"),
        (
            "Give --name for a second one, or --overwrite to replace it.",
            "Give another ‘Name’ for a second one, or tick ‘Replace it where it is there’ to replace it.",
        ),
        ("the setting 'binary' cannot be 3: no.", "the setting ‘Masks of one value’ cannot be 3: no."),
        (
            "x: is not measured. Run: cellvote measure /a/x.cellvote --segmentation s",
            "x: is not measured. Use the Segment dock.",
        ),
        (
            "quality was not assessed. Run: cellvote quality /a/x.cellvote",
            "quality was not assessed. In a terminal: cellvote quality /a/x.cellvote",
        ),
        ("get it again: cellvote weights NAME --download", "get it again: cellvote weights NAME --download"),
        ("the file is truncated -- copy it again.", "the file is truncated -- copy it again."),
    ],
)
def test_advice_names_what_the_segment_dock_shows(said: str, shown: str) -> None:
    assert in_dock_words(said, ImportSettings, SegmentDock.option_words) == shown


def test_a_setting_that_the_form_does_not_have_keeps_its_name() -> None:
    assert in_dock_words("Give --set suffix=_a.", TrainSettings, TrainDock.option_words) == "Give --set suffix=_a."


def test_a_reading_that_is_doubtful_is_put_right_in_the_form() -> None:
    assert "--" not in in_the_window("Where that is wrong, give --layout well-names or --pattern.")
    assert in_the_window("no wells are found. Give --pattern.") == "no wells are found. Give a pattern."
