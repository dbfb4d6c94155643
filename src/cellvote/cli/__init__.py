"""The command line: every step without a window."""

import json
import logging
import os
import sys
from itertools import pairwise
from typing import Annotated, Any

import typer
from rich.markup import escape

from cellvote import __version__
from cellvote.cli import auditing, demo, exports, looking, plates, profiles, quality, steps, weights
from cellvote.cli.terminal import err
from cellvote.errors import CancelledError, CellVoteError
from cellvote.progress import quiet_decoders

app = typer.Typer(
    name="cellvote",
    help="From a plate of microscope images to per-cell predictions that vote, and that can be audited.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_ORDER = (
    "demo",
    "inspect",
    "create",
    "quality",
    "illumination",
    "segment",
    "measure",
    "profile",
    "train",
    "predict",
    "vote",
    "evaluate",
    "audit",
    "report",
    "export",
    "view",
    "weights",
    "doctor",
)
_PARTS = (demo, plates, looking, steps, profiles, exports, quality, weights, auditing)
for part in (module.app for module in _PARTS):
    app.registered_commands += part.registered_commands
app.registered_commands.sort(key=lambda command: _ORDER.index(command.callback.__name__ if command.callback else ""))

UsageError: type[Any] = typer.BadParameter.__bases__[0]  # click's, which newer typers bring along under another name
BAD_INPUT = 2
CANCELLED = 130


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log what is done, on standard error.")] = False,
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, stream=sys.stderr)
    if version:
        sys.stdout.write(f"cellvote {__version__}\n")
        raise typer.Exit


def main() -> None:
    """Run the command line, and exit: 0 done, 1 some fields failed, 2 bad input, 130 cancelled."""
    quiet_decoders()
    try:
        code = app(standalone_mode=False)
    except CancelledError as error:
        _say(str(error), CANCELLED)
    except KeyboardInterrupt:
        _say("cancelled; what was done is kept. Run the same command again to go on.", CANCELLED)
    except CellVoteError as error:
        _say(str(error), BAD_INPUT)
    except typer.Abort:
        _say("cancelled", CANCELLED)
    except UsageError as error:
        if not error.format_message():  # no command at all: the help was printed
            raise SystemExit(BAD_INPUT) from None
        where = error.ctx.command_path if error.ctx else "cellvote"
        _say(f"{error.format_message().rstrip('.')}. See: {where} --help", BAD_INPUT)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    raise SystemExit(code if isinstance(code, int) else 0)


def _say(message: str, code: int) -> None:
    """Say in one line what is wrong, as JSON where the window listens, and exit."""
    line = " ".join(message.split())
    if "--progress=json" in sys.argv or ("--progress", "json") in pairwise(sys.argv):
        sys.stderr.write(json.dumps({"error": line}, ensure_ascii=False) + "\n")
    else:
        err.print(
            f"[bold red]{'Cancelled' if code == CANCELLED else 'Error'}:[/bold red] {escape(line)}", soft_wrap=True
        )
    raise SystemExit(code)
