"""XML written by microscopes: read record by record, fast, and never trusted."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import XMLParser

from cellvote.errors import LayoutError

MAX_BYTES: Final = 2**31
"""Larger indexes are refused: a plate of 300,000 planes has half a gigabyte."""

MAX_TEXT: Final = 1000
"""Characters of one value that are kept; longer ones are no names, numbers or paths."""

_CHUNK_BYTES: Final = 2**20

Record = dict[str, str]
"""What one element says: its attributes, the texts of elements in it, and its own text under the empty name.

Attributes of the elements in it are named ``Element@Attribute``. Namespaces are dropped.
"""


def read_records(
    path: Path, records: Collection[str], values: Collection[str], found: Callable[[str, Record], None]
) -> None:
    """Read some elements of an XML file, one after the other.

    Parameters
    ----------
    records
        Names of the elements that are records; one may lie in another.
    values
        Names of the elements whose text is kept, in the record that they lie in.
    found
        Called with the name and the content of each record, as it ends.

    Raises
    ------
    LayoutError
        Where the file is unreadable, damaged, too large, or has a document type (entities, external files).
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_BYTES:
            raise LayoutError(f"{path}: the file has {size_bytes / 2**30:.1f} GiB, more than any index: refused.")
        parser = _parser(frozenset(records), frozenset(values), found)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                parser.feed(chunk)
        parser.close()
    except (ParseError, DefusedXmlException, UnicodeError, LookupError, OSError) as error:
        raise LayoutError(
            f"{path}: the file is damaged or hostile ({type(error).__name__}: {str(error)[:200]}). Copy it again; "
            "or move it away, and the names of the images are read instead."
        ) from error


def _parser(records: Collection[str], values: Collection[str], found: Callable[[str, Record], None]) -> XMLParser:
    """Make a parser that refuses document types, and hands elements on without building a tree."""
    parser = XMLParser(target=_Nothing(), forbid_dtd=True)
    expat: Any = parser.parser
    expat.DefaultHandlerExpand = None  # without a document type there is no entity to expand; this hears each space
    local = _LocalNames()
    open_records: list[tuple[str, Record]] = []
    heard: list[str] = []
    hear = heard.append

    def start(name: str, attributes: list[str]) -> None:
        tag = local[name]
        if tag in records:
            open_records.append((tag, _attributes(attributes, local, "")))
        elif tag in values and open_records:
            if attributes:
                open_records[-1][1].update(_attributes(attributes, local, tag + "@"))
        else:
            return
        heard.clear()
        expat.CharacterDataHandler = hear

    def end(name: str) -> None:
        tag = local[name]
        if tag in records:
            if not open_records:
                return
            _, record = open_records.pop()
            if heard:
                record[""] = "".join(heard).strip()[:MAX_TEXT]
            found(tag, record)
        elif tag in values and open_records:
            open_records[-1][1][tag] = "".join(heard).strip()[:MAX_TEXT]
        else:
            return
        heard.clear()
        expat.CharacterDataHandler = None

    expat.StartElementHandler = start
    expat.EndElementHandler = end
    return parser


def _attributes(flat: list[str], local: Mapping[str, str], prefix: str) -> Record:
    return {prefix + local[name]: value[:MAX_TEXT] for name, value in zip(flat[::2], flat[1::2], strict=True)}


class _Nothing:
    """The parser's target, in place of a tree."""


class _LocalNames(dict[str, str]):
    """Names without their namespaces, each worked out once."""

    def __missing__(self, name: str) -> str:
        local = self[name] = name.rpartition("}")[2]
        return local
