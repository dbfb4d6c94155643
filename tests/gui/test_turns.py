"""Steps that take turns with the window."""

import pytest

from cellvote.gui import turns as module
from cellvote.gui.turns import Turns


@pytest.fixture
def slow(monkeypatch) -> None:
    """Let every step take a turn of its own."""
    monkeypatch.setattr(module, "_TURN_S", 0.0)


def test_nothing_is_done_at_once_and_everything_in_order(qtbot) -> None:
    done: list[int] = []
    turns = Turns()
    turns.add([lambda: done.append(1), lambda: done.append(2)])
    turns.add([lambda: done.append(3)])
    assert not done
    assert turns.busy
    qtbot.waitUntil(lambda: not turns.busy)
    assert done == [1, 2, 3]


@pytest.mark.usefixtures("slow")
def test_the_window_answers_between_steps_that_are_long(qtbot) -> None:
    heard: list[str] = []
    turns = Turns()
    module.QTimer.singleShot(0, lambda: heard.append("window"))
    turns.add([lambda: heard.append("first"), lambda: heard.append("second")])
    module.QTimer.singleShot(0, lambda: heard.append("window"))
    qtbot.waitUntil(lambda: not turns.busy)
    assert heard == ["window", "first", "window", "second"]


def test_what_is_forgotten_is_not_done_and_what_comes_after_is(qtbot) -> None:
    done: list[int] = []
    turns = Turns()
    turns.add([lambda: done.append(1)])
    turns.forget()
    assert not turns.busy
    turns.add([lambda: done.append(2)])
    qtbot.waitUntil(lambda: not turns.busy)
    assert done == [2]


def test_a_step_may_forget_those_after_it(qtbot) -> None:
    done: list[int] = []
    turns = Turns()
    turns.add([turns.forget, lambda: done.append(1)])
    qtbot.waitUntil(lambda: not turns.busy)
    qtbot.wait(20)
    assert not done


def test_steps_that_nobody_waits_for_any_more_are_dropped(qtbot) -> None:
    done: list[int] = []
    turns = Turns()
    turns.add([lambda: done.append(1)])
    del turns
    qtbot.wait(20)
    assert not done
