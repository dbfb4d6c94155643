"""The manifest says the truth, and napari opens what it lists."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from npe2 import PluginManifest


@pytest.fixture(scope="module")
def manifest(repository: Path) -> PluginManifest:
    return PluginManifest.from_file(repository / "napari.yaml")


def test_the_manifest_is_valid_and_everything_it_names_can_be_imported(manifest: PluginManifest) -> None:
    assert manifest.name == "cellvote"
    manifest.validate_imports()


def test_the_installed_manifest_is_that_of_the_repository(repository: Path) -> None:
    installed = (files("cellvote_manifest") / "napari.yaml").read_text(encoding="utf-8")
    written = (repository / "napari.yaml").read_text(encoding="utf-8")
    assert installed == written, "an installation holds a snapshot of napari.yaml: run pip install -e . again"


def test_napari_finds_the_plugin_by_its_name() -> None:
    assert PluginManifest.from_distribution("cellvote").display_name == "CellVote"


def test_napari_draws_an_image_and_opens_every_dock(make_napari_viewer, qtbot, manifest: PluginManifest) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.eye(64, dtype=np.uint16))
    pixels = viewer.screenshot(canvas_only=True, flash=False)
    assert np.ptp(pixels[..., :3]) > 0, "the canvas is blank: OpenGL does not draw here"
    for widget in manifest.contributions.widgets or []:
        dock, _ = viewer.window.add_plugin_dock_widget("cellvote", widget.display_name)
        qtbot.waitUntil(dock.isVisible)
