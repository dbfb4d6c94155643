"""The weights of networks that are not part of CellVote: which are there, and to get them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from cellvote.cli import options
from cellvote.cli.terminal import ProgressStyle, err, out, print_json, print_table, watching
from cellvote.errors import SettingsError

app = typer.Typer()


@app.command()
def weights(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One model; all of them where not given.")] = "",
    download: Annotated[bool, typer.Option("--download", help="Get it, or what is still missing of it.")] = False,
    url: Annotated[str, typer.Option("--url", help="Get it from this address (a mirror) instead.")] = "",
    folder: Annotated[Path | None, typer.Option("--to", help="Put it into this folder instead.")] = None,
    json: options.Json = False,
    progress: options.ProgressOption = ProgressStyle.auto,
) -> None:
    """List the weights of Cellpose that are there, or get one."""
    from cellvote.segmentation.cellpose.download import download_weights
    from cellvote.segmentation.cellpose.weights import (
        FOLDER_VARIABLE,
        LICENCE_NOTE,
        describe_weights,
        iter_weights,
        models_folder,
    )

    if download or url or folder:
        if not (name and download):
            raise SettingsError("name the model to get, such as: cellvote weights cpsam_v2 --download")
        err.print(f"[yellow]Licence:[/yellow] {escape(LICENCE_NOTE)}", soft_wrap=True)
        with watching("Download", progress) as (report, cancel):
            path = download_weights(name, folder, url=url, report=report, cancel=cancel)
        found = describe_weights(str(path))
        if json:
            print_json([found.to_json() | {"name": name}])
        else:
            out.print(f"[bold]{escape(str(path))}[/bold]: {found.n_bytes / 2**20:,.0f} MiB", soft_wrap=True)
        if folder:
            err.print(f"To use it from there, set {FOLDER_VARIABLE}={escape(str(folder.absolute()))}", soft_wrap=True)
        return
    found_files = [describe_weights(name)] if name else list(iter_weights())
    if json:
        print_json([one.to_json() for one in found_files])
        return
    rows = [(one.name, one.status, f"{one.n_bytes / 2**20:,.0f} MiB" if one.n_bytes else "–", one.says)
            for one in found_files]  # fmt: skip
    print_table(f"Weights of Cellpose in {models_folder()}", ("model", "", "size", ""), rows)
    err.print(f"[yellow]Licence:[/yellow] {escape(LICENCE_NOTE)}", soft_wrap=True)
