"""HTML to readable text, in bounded time and memory.

Job: turn the HTML body of a mail into the lines a person would read. The only importer of inscriptis and lxml.
`read_tree` and `tree_to_text` are apart so that a caller may cut quotes out of the tree between the two.
Core: no I/O, no clock, no logging. Leaves out links' targets, images and everything invisible.
"""

from __future__ import annotations

from typing import Any

import lxml.html  # type: ignore[import-untyped]  # it publishes no types
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml.etree import LxmlError  # type: ignore[import-untyped]

MAX_HTML = 1_000_000  # characters; what stands behind is not read
_CONFIG = ParserConfig()


def read_tree(html: str) -> Any:
    """The lxml tree (root `html` element) of `html`, or None where there is nothing to read. Never raises."""
    html = html[:MAX_HTML].replace("\0", "").strip()
    if not html:
        return None
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        return lxml.html.document_fromstring(html.encode("utf-8", "replace"), parser=parser)
    except (LxmlError, ValueError):
        return None


def tree_to_text(tree: Any) -> str:
    """The text of a tree that `read_tree` gave; the tree may have been cut, and is used up. Never raises."""
    if tree is None:
        return ""
    try:
        text: str = Inscriptis(tree, _CONFIG).get_text()
    except RecursionError:
        text = " ".join(tree.itertext())
    return text.strip("\n")


def html_to_text(html: str) -> str:
    """What a person reads when `html` is shown; `""` when it shows nothing. Never raises."""
    return tree_to_text(read_tree(html))
