"""A window that shows the model card of a classifier."""

from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QTextDocument
from qtpy.QtWidgets import QTextBrowser, QWidget

from cellvote.learning.model_card import CARD

_MOST_BYTES: Final = 1_000_000
_SIZE: Final = (720, 760)


def card_path(model_folder: Path) -> Path | None:
    """Where the card of a classifier is; None where it has none."""
    path = model_folder / CARD
    return path if path.is_file() and path.stat().st_size <= _MOST_BYTES else None


class CardWindow(QTextBrowser):
    """Shows a card as text: nothing in it is run, followed or fetched, whoever wrote it.

    Parameters
    ----------
    path
        Of the card.
    """

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"{path.parent.name}: model card")
        self.setOpenLinks(False)
        features = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML
        text = path.read_text(encoding="utf-8", errors="replace")
        document = self.document()
        if document is not None:
            document.setMarkdown(text, features)
            document.setDocumentMargin(12)
        self.resize(*_SIZE)

    def loadResource(self, kind: int, name: QUrl) -> Any:  # noqa: N802 (Qt's name)
        """Load nothing: a card that came from elsewhere may name any file."""
        del kind, name
        return None
