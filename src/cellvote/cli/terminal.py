"""What the command line prints: results on standard output, progress and errors on standard error."""

import json
import math
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from types import FrameType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table
from rich.text import Text

from cellvote.progress import CancelToken, Progress, Report, ignore_progress

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class ProgressStyle(StrEnum):
    """How progress is shown."""

    auto = "auto"
    bar = "bar"
    json = "json"
    none = "none"


def print_json(value: Any) -> None:
    """Print one JSON value on standard output; what is not a number becomes null."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """Turn numpy numbers, tuples and not-a-number into what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table."""
    table = Table(
        box=SIMPLE_HEAD,
        header_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        show_header=any(columns),
    )
    for i, column in enumerate(columns):
        numeric = bool(rows) and isinstance(rows[0][i], int | float)
        table.add_column(escape(column), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(escape(f"{entry:.3f}" if isinstance(entry, float) else str(entry)) for entry in row))
    out.print(f"\n[bold]{escape(title)}[/bold]")
    out.print(table)


@contextmanager
def watching(what: str, style: ProgressStyle) -> Iterator[tuple[Report, CancelToken]]:
    """Show the progress of a step, and let Ctrl-C (or ``cancel`` on standard input, with JSON) stop it.

    A first Ctrl-C lets the fields at work finish; a second one stops at once.
    """
    cancel = CancelToken()
    with _ctrl_c_cancels(cancel):
        if style is ProgressStyle.json:
            threading.Thread(target=_watch_standard_input, args=(cancel,), daemon=True).start()
            yield _report_json, cancel
        elif style is ProgressStyle.bar or (style is ProgressStyle.auto and err.is_terminal):
            with _bar(what) as report:
                yield report, cancel
        else:
            yield ignore_progress, cancel


def _report_json(progress: Progress) -> None:
    line = {"done": progress.done, "total": progress.total, "where": progress.where, "message": progress.message}
    sys.stderr.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stderr.flush()


class _TimeLeft(TimeRemainingColumn):
    """The time left, where the message does not tell it."""

    def render(self, task: Task) -> Text:
        """Write it, or nothing."""
        return Text("") if str(task.fields.get("message", "")).endswith(" left") else super().render(task)


@contextmanager
def _bar(what: str) -> Iterator[Report]:
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _TimeLeft(),
        TextColumn("{task.fields[message]}", style="dim"),
    )
    with ProgressBar(*columns, console=err) as bar:
        task = bar.add_task(what, total=None, message="")

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total, message=progress.message)

        yield report


def _watch_standard_input(cancel: CancelToken) -> None:
    for line in sys.stdin:
        if line.strip() == "cancel":
            cancel.cancel()
            return


@contextmanager
def _ctrl_c_cancels(cancel: CancelToken) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        if cancel.cancelled:
            raise KeyboardInterrupt
        cancel.cancel()

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
