"""The row of buttons that chooses what is on the canvas."""

import pytest
from qtpy.QtCore import Qt

from cellvote.gui.docks.view_bar import ViewBar
from cellvote.gui.session import Session
from cellvote.study import Study


@pytest.fixture
def bar(viewer, session: Session, new_study: Study, settle) -> ViewBar:
    """Return the bar over the tiny plate: two fields a well, no z, no time."""
    session.open_study(new_study.path)
    settle(session)
    made = ViewBar(session)
    viewer.window.add_dock_widget(made, name="bar")
    return made


def test_only_what_the_study_has_is_offered(bar: ViewBar) -> None:
    assert bar.scopes["field"].isChecked()
    assert bar.scopes["well"].isEnabled()
    assert bar.z_button.isHidden()
    assert bar.time_button.isHidden()


def test_a_click_shows_the_whole_well(bar: ViewBar, session: Session, qtbot, settle) -> None:
    qtbot.mouseClick(bar.scopes["well"], Qt.MouseButton.LeftButton)
    settle(session)
    assert session.content.scope == "well"
    assert bar.scopes["well"].isChecked()
    assert not bar.scopes["field"].isChecked()


def test_the_bar_follows_what_is_chosen_elsewhere(bar: ViewBar, session: Session, settle) -> None:
    session.look.scope = "well"
    settle(session)
    assert bar.scopes["well"].isChecked()


def test_contrast_is_reset_by_a_click(bar: ViewBar, session: Session, viewer, qtbot, settle) -> None:
    viewer.layers[0].contrast_limits = (0, 1)
    qtbot.mouseClick(bar.contrast_button, Qt.MouseButton.LeftButton)
    settle(session)
    assert tuple(viewer.layers[0].contrast_limits) != (0, 1)
