"""Forms made from settings: what one sees is what the command line is told."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field
from qtpy.QtWidgets import QFileDialog

from cellvote.errors import SettingsError
from cellvote.gui.path_box import PathBox
from cellvote.gui.settings_form import SettingsForm, assignments
from cellvote.learning.settings import TrainSettings, settings_for
from cellvote.segmentation import METHODS
from cellvote.settings import parse_assignments, validated
from cellvote.voting.vote import VoteSettings


class Everything(BaseModel, frozen=True, extra="forbid"):
    """One of each kind."""

    count: int = Field(5, ge=1, le=50, title="Count", description="How many")
    share: float = Field(0.25, gt=0, lt=1)
    rate: float = Field(3e-3, gt=0, le=1)
    size_px: float | None = Field(None, gt=2, le=500, title="Size (px)")
    whole: int | None = Field(None, ge=16, le=512)
    on: bool = False
    method: Literal["one", "two"] = "one"
    channel: str = ""
    channels: tuple[str, ...] = ()
    free: tuple[str, ...] = ("a",)


@pytest.fixture
def form(qtbot) -> SettingsForm:
    made = SettingsForm(Everything, choices={"channel": ["DNA", "none"], "channels": ["DNA", "GFP"]})
    qtbot.addWidget(made)
    return made


def test_a_fresh_form_holds_the_defaults(form: SettingsForm) -> None:
    assert form.value() == Everything()
    assert form.assignments() == []


@pytest.mark.parametrize("model", [TrainSettings, VoteSettings, *(settings for settings, _ in METHODS.values())])
def test_every_settings_model_makes_a_form_that_holds_its_defaults(qtbot, model: type[BaseModel]) -> None:
    form = SettingsForm(model)
    qtbot.addWidget(form)
    shown = form.value().model_dump()
    assert shown == model().model_dump()


def test_what_is_put_in_comes_out(form: SettingsForm) -> None:
    wanted = Everything(
        count=7,
        share=0.5,
        rate=1e-5,
        size_px=25.5,
        whole=64,
        on=True,
        method="two",
        channel="typed",
        channels=("GFP",),
        free=("x", "y"),
    )
    form.setValue(wanted)
    assert form.value() == wanted


def test_what_was_set_can_be_made_automatic_again(form: SettingsForm) -> None:
    form.setValue({"size_px": 25, "whole": 64})
    form.setValue({"size_px": None, "whole": None})
    assert form.value() == Everything()
    assert form.box("size_px").text() == ""


def test_bounds_are_those_of_the_model(form: SettingsForm) -> None:
    from qtpy.QtGui import QValidator

    count, share, size = (form.box(name) for name in ("count", "share", "size_px"))
    assert (count.minimum(), count.maximum()) == (1, 50)
    assert 0 < share.minimum() < 1e-3 < 0.999 < share.maximum() < 1
    for box, text, allowed in ((size, "2", False), (size, "", True), (size, "25", True), (count, "", False)):
        assert (box.validate(text, 0)[0] == QValidator.State.Acceptable) == allowed


def test_small_numbers_are_not_rounded_away(form: SettingsForm) -> None:
    assert form.box("rate").text() == "0.003"
    form.box("rate").setValue(form.box("rate").valueFromText("1e-5"))
    assert form.value().rate == pytest.approx(1e-5)


def test_titles_and_descriptions_are_shown(form: SettingsForm) -> None:
    assert "How many" in form.box("count").toolTip()
    assert form.box("count").accessibleName() == "Count"


def test_changes_are_told(form: SettingsForm, qtbot) -> None:
    with qtbot.waitSignal(form.valueChanged):
        form.box("on").setChecked(True)


def test_the_arguments_are_read_by_the_command_line_as_what_was_chosen(form: SettingsForm) -> None:
    wanted = {"count": 7, "channel": "1", "size_px": 30.0, "channels": ("GFP",), "on": True}
    form.setValue(wanted)
    arguments = form.assignments()
    assert arguments[::2] == ["--set"] * len(wanted)
    assert validated(Everything, parse_assignments(arguments[1::2])) == Everything(**wanted)


@pytest.mark.parametrize("text", ["plain", "1", "true", "none", "auto", "null", "", "a=b", '"quoted"', "[1]", "µm, ×"])
def test_any_text_survives_the_command_line(text: str) -> None:
    arguments = assignments({"name": text})
    assert parse_assignments(arguments[1::2]) == {"name": text}


def test_a_form_shows_only_what_the_architecture_uses(qtbot) -> None:
    form = SettingsForm(TrainSettings, hidden={"split_by"})
    qtbot.addWidget(form)
    for architecture in ("forest", "small-resnet", "logistic"):
        form.setValue({"architecture": architecture})
        assert form.names() == [name for name in settings_for(architecture) if name != "split_by"]
        assert set(form.changed_values()) <= {"architecture"}


def test_settings_that_do_not_fit_together_are_refused_in_one_sentence(qtbot) -> None:
    class Picky(BaseModel, extra="forbid"):
        name: str = Field("ab", min_length=2)

    form = SettingsForm(Picky)
    qtbot.addWidget(form)
    form.setValue({"name": "a"})
    with pytest.raises(SettingsError, match="'name' cannot be 'a'"):
        form.value()


class Paths(BaseModel, frozen=True, extra="forbid"):
    """Settings that name files and folders."""

    masks: str = Field("", title="Masks")
    weights_file: Path | None = None
    method: str = ""


class Many(BaseModel, frozen=True, extra="forbid"):
    """More settings than are changed often."""

    a: int = 1
    b: int | None = None
    c: bool = False
    d: int = Field(4, json_schema_extra={"advanced": True})
    e: str = Field("", json_schema_extra={"advanced": True})


def test_a_setting_that_names_a_file_or_folder_can_be_chosen(qtbot, monkeypatch, tmp_path) -> None:
    form = SettingsForm(Paths)
    qtbot.addWidget(form)
    assert form.value() == Paths()
    boxes = form.box("masks"), form.box("weights_file")
    assert all(isinstance(box, PathBox) for box in boxes)
    assert not isinstance(form.box("method"), PathBox)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "w.safetensors"), ""))
    for box in boxes:
        box.browse_button.click()
    assert form.value() == Paths(masks=str(tmp_path), weights_file=tmp_path / "w.safetensors")


def test_what_is_rarely_changed_is_folded_away_but_counts(qtbot) -> None:
    form = SettingsForm(Many, fold=True)
    qtbot.addWidget(form)
    form.show()
    assert form.advanced == ("d", "e")
    assert form.box("a").isVisible()
    assert form.folds[0].button.text() == "2 more settings"
    form.setValue({"d": 7})
    assert form.folds[0].button.text() == "2 more settings · 1 changed"
    assert form.changed_values() == {"d": 7}, "out of sight is not out of use"
    form.folds[0].button.click()
    assert form.box("d").isVisible()


def test_where_no_model_says_so_all_but_the_first_settings_are_folded_away(qtbot) -> None:
    form = SettingsForm(Everything, fold=True)
    qtbot.addWidget(form)
    assert form.advanced == tuple(list(Everything.model_fields)[5:])
    plain = SettingsForm(Everything)
    qtbot.addWidget(plain)
    assert plain.advanced == ()


def test_empty_inputs_say_what_automatic_comes_to(form: SettingsForm) -> None:
    form.show_automatic({"size_px": 24.31, "channel": "DNA", "whole": None})
    assert form.box("size_px").lineEdit().placeholderText() == "24.31 (auto)"
    assert form.box("channel").lineEdit().placeholderText() == "DNA (auto)"
    assert form.box("whole").lineEdit().placeholderText() == "automatic"
    form.show_automatic({"size_px": 24.31}, sure=False)
    assert form.box("size_px").lineEdit().placeholderText() == "≈ 24.31 (auto)"
    assert form.value() == Everything()
