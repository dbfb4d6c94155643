"""The preview part of the Segment dock: on or off, how cells are drawn, what they are compared with, what came out."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from napari.components import ViewerModel
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QProgressBar, QSlider, QVBoxLayout, QWidget

from cellvote.errors import CellVoteError, SettingsError
from cellvote.gui.background import Background
from cellvote.gui.cell_outlines import Comparison, Drawing
from cellvote.gui.docks.dock import BAD, QUIET, combo, fill_combo, row, text_label
from cellvote.gui.live_preview import LivePreview, PreviewAnswer
from cellvote.gui.preview_drawing import Drawn, agreement_words, answer_words, draw_field
from cellvote.gui.preview_layers import PreviewLayers
from cellvote.gui.preview_worker import STARTING
from cellvote.gui.session import Session
from cellvote.gui.side_by_side import SideBySide
from cellvote.gui.turns import Turns
from cellvote.segmentation import USES_TORCH

Asked = tuple[str, dict[str, Any]]
"""A method, and what its settings are to differ in from the defaults."""

OVER, BESIDE = "one over the other", "side by side"

FINDING_WORDS: Final = "Finding cells …"
TORCH_WORDS: Final = "Starting PyTorch, which takes some seconds the first time …"
STARTING_WORDS: Final = "Starting …"
BEFORE_WORDS: Final = " What is drawn is of the settings before."

_SPIN_AFTER_MS: Final = 200
_OPACITIES: Final[dict[Drawing, int]] = {"outlines": 100, "filled": 40}
_ONE_FIELD: Final = "The preview shows one field: choose Field or Image in the Plate dock."


class PreviewBox(QWidget):
    """Shows what the settings would find in the field that is shown, and compares it with another segmentation.

    Parameters
    ----------
    session
        What the docks of one viewer share.
    viewer
        Only weak references are kept.
    ask
        Gives method and settings as they are now; raises `SettingsError` where a value is not allowed.

    Signals
    -------
    measured(object, bool)
        Settings with nothing left automatic, and whether they were measured on the plate.
    """

    measured = Signal(object, bool)

    def __init__(self, session: Session, viewer: ViewerModel, ask: Callable[[], Asked | None]) -> None:
        super().__init__()
        self._session, self._state, self._ask = session, session.state, ask
        self._shown: Drawn | None = None
        self._answer: PreviewAnswer | None = None
        self._opacities = dict(_OPACITIES)
        self.reword: Callable[[str], str] = str
        """Puts errors, which are written for the command line, into the words of the dock."""
        self.live = LivePreview()
        self.layers = PreviewLayers(session.layers)
        self.beside = SideBySide(viewer, session.layers)
        self._drawing = Background(self._on_drawn)
        self._turns = Turns()
        self._make_parts()
        self._lay_out()
        self._spin = QTimer(self)
        self._spin.setSingleShot(True)
        self._spin.setInterval(_SPIN_AFTER_MS)
        self._spin.timeout.connect(self._on_long)
        self.live.answered.connect(self._on_answered)
        self.live.measured.connect(self._on_measured)
        self.live.doing.connect(self._on_doing)
        self.live.failed.connect(self._on_failed)
        self.destroyed.connect(partial(_close, self.live, self.beside, self._drawing))

    # Parts

    def _make_parts(self) -> None:
        self.switch = QCheckBox("Live preview")
        self.switch.setToolTip(
            "Find the cells of the field that is shown anew whenever a setting or the field changes; nothing is kept"
        )
        self.switch.toggled.connect(self._on_switched)
        self.circle_box = QCheckBox("Diameter as a circle")
        self.circle_box.setToolTip("Draw the diameter on the image; drag the circle's edge until it fits your cells")
        self.circle_box.setChecked(True)
        self.drawing_box = combo("How cells are drawn", least=6)
        fill_combo(self.drawing_box, [(name, name) for name in _OPACITIES], "outlines")
        self.drawing_box.currentIndexChanged.connect(self._on_drawing_chosen)
        self.opacity_slider = QSlider(Qt.Orientation.Horizontal)
        self.opacity_slider.setRange(5, 100)
        self.opacity_slider.setValue(_OPACITIES["outlines"])
        self.opacity_slider.setToolTip("How strongly cells are drawn")
        self.opacity_slider.setAccessibleName("Opacity")
        self.opacity_slider.valueChanged.connect(self._on_opacity_changed)
        self.compare_box = combo("Another segmentation of this study, whose cells are drawn beside these")
        self.compare_box.currentIndexChanged.connect(self._on_compare_chosen)
        self.way_box = combo("Whether the two are drawn on one picture or on two that move together", least=6)
        fill_combo(self.way_box, [(way, way) for way in (OVER, BESIDE)], OVER)
        self.way_box.currentIndexChanged.connect(self._on_way_chosen)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(policy)
        self.status = text_label("", quiet=True)
        self.agreement = text_label("")

    def _lay_out(self) -> None:
        self.look_row = row("Cells as", self.drawing_box, self.opacity_slider)
        self.compare_row = row("Compare with", self.compare_box)
        self.way_row = row("Shown", self.way_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        head = row(self.switch, self.circle_box)
        parts = (head, self.look_row, self.bar, self.status, self.compare_row, self.way_row, self.agreement)
        for widget in parts:
            layout.addWidget(widget)
        for widget in (self.circle_box, self.bar, self.look_row, self.status, self.way_row, self.agreement):
            widget.hide()

    @property
    def on(self) -> bool:
        """Whether the preview is switched on."""
        return bool(self.switch.isChecked())

    @property
    def busy(self) -> bool:
        """Whether something is still computed or drawn; the plate is measured in its own time."""
        waits = self._answer is None and self.live.busy
        return waits or self._drawing.busy or self._turns.busy or self.beside.busy

    @property
    def other(self) -> str:
        """The segmentation that is compared with; empty for none."""
        return str(self.compare_box.currentData() or "")

    # What is to be shown

    def offer_segmentations(self) -> None:
        """Offer what there is to compare with."""
        names = self._state.study.segmentations if self._state.study is not None else []
        chosen = self.other if self.other in names else ""
        fill_combo(self.compare_box, [("", "nothing"), *((name, name) for name in names)], chosen)
        self.compare_row.setVisible(bool(names))
        self.way_row.setVisible(bool(chosen))

    def refresh(self) -> None:
        """Show the preview of what is chosen now, and nothing of what was chosen before."""
        state = self._state
        key, study = state.key, state.study
        if study is None or key is None or not (self.on or self.other):
            self.clear()
            return
        if self._session.look.scope != "field":
            self.clear()
            self._say(_ONE_FIELD if self.on else "")
            return
        if self._shown is None or self._shown.key != key:
            self._shown = None
            self._turns.forget()
            self.layers.clear()
            self.agreement.hide()
        self._answer = None
        if not self.on:
            self._shown = None  # the study's masks may be others now
            self.live.forget()
            self._say("")
            self._draw()
            return
        try:
            asked = self._ask()
        except SettingsError as error:
            self.live.forget()
            self._say(str(error), bad=True)
            return
        if asked is not None:
            self.live.ask(study.path, key, *asked)

    def clear(self) -> None:
        """Show nothing, and forget what was asked for."""
        self._shown = self._answer = None
        self.live.forget()
        self._drawing.forget()
        self._turns.forget()
        self.layers.take_out()
        self.beside.join()
        self.agreement.hide()
        self._say("")

    def _on_switched(self, on: bool) -> None:
        self.look_row.setVisible(on)
        self._shown = None
        if on:
            self._session.look.scope = "field"
        else:
            self.live.rest()
            self._on_doing("")
        self.refresh()

    # What comes back

    def _on_doing(self, what: str) -> None:
        """Say that something is computed, but not of what is there in the twinkling of an eye."""
        if not what:
            self._spin.stop()
            self.bar.hide()
        elif not self.bar.isHidden():
            self._say_doing(what)
        elif not self._spin.isActive():
            self._spin.start()

    def _on_long(self) -> None:
        self.bar.show()
        self._say_doing(self.live.what)

    def _say_doing(self, what: str) -> None:
        if self._answer is not None:
            return
        drawn = self._shown is not None and self._shown.answer is not None
        words = FINDING_WORDS
        if what == STARTING:
            words = TORCH_WORDS if self.live.method in USES_TORCH else STARTING_WORDS
        self._say(words + (BEFORE_WORDS if drawn else ""))

    def _on_answered(self, answer: PreviewAnswer) -> None:
        if answer.key != self._state.key or not self.on:
            return
        self._answer = answer
        self.measured.emit(answer.settings, answer.sure)
        self._draw()

    def _on_measured(self, method: str, settings: dict[str, Any]) -> None:
        del method
        self.measured.emit(settings, True)
        if self._answer is not None:
            self._say(answer_words(self._answer, sure=True))

    def _on_failed(self, why: str) -> None:
        self._answer = None
        self._turns.forget()
        self.layers.clear()
        self._say(why, bad=True)

    # Drawing

    def _draw(self) -> None:
        """Draw what there is, in another thread: the newest answer, else what is shown already."""
        study, key = self._state.study, self._state.key
        if study is None or key is None:
            return
        masks = self._shown.masks if self._shown is not None and self._answer is self._shown.answer else None
        drawing: Drawing = self.drawing_box.currentData()
        current = "" if self.on else self._state.segmentation
        if self._answer is None and masks is None and self.on:
            return
        self._drawing.ask(partial(draw_field, study, key, self._answer, masks, current, self.other, drawing))

    def _on_drawn(self, drawn: Drawn | CellVoteError) -> None:
        if isinstance(drawn, CellVoteError):
            self._say(str(drawn), bad=True)
            return
        stale = drawn.key != self._state.key or drawn.answer is not self._answer
        if stale or not (self.on or self.other) or self._session.look.scope != "field":
            return
        self._shown = drawn
        self._turns.forget()
        if drawn.comparison is None:
            self.layers.take_out()
            self._say(drawn.problem)
            return
        beside = drawn.comparison.there is not None and self.way_box.currentData() == BESIDE
        if not beside:
            self.beside.join()
        self._turns.add(self.layers.showing(drawn.comparison, preview=self.on, compared_with=self.other))
        if beside:
            self._turns.add([self.beside.split])
        self._show_agreement(drawn.comparison)
        if drawn.answer is not None:
            self._say(answer_words(drawn.answer, sure=drawn.answer.sure or not self.live.busy))

    def _show_agreement(self, comparison: Comparison) -> None:
        agreement = comparison.agreement
        text = agreement_words(agreement, self.other, preview=self.on) if agreement else comparison.problem
        self.agreement.setText(text)
        self.agreement.setVisible(bool(text) and bool(self.other))

    def _say(self, text: str, *, bad: bool = False) -> None:
        self.status.setText(self.reword(text) if bad else text)
        self.status.setStyleSheet(f"color: {BAD if bad else QUIET};")
        self.status.setVisible(bool(text) or self.on)

    # What a person chooses

    def _on_drawing_chosen(self) -> None:
        self.opacity_slider.setValue(self._opacities[self.drawing_box.currentData()])
        self._draw()

    def _on_opacity_changed(self, percent: int) -> None:
        self._opacities[self.drawing_box.currentData()] = percent
        self.layers.set_opacity(percent / 100)

    def _on_compare_chosen(self) -> None:
        self.way_row.setVisible(bool(self.other))
        if self.on and self._answer is not None:
            self._draw()
        else:
            self.refresh()

    def _on_way_chosen(self) -> None:
        self._draw()


def _close(live: LivePreview, beside: SideBySide, drawing: Background) -> None:
    live.stop()
    beside.close()
    drawing.forget()
