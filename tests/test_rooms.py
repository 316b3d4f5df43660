"""The house's plan: the core never imports the shell, and each third-party package has one room that knows it."""

from __future__ import annotations

import ast
import functools
import sys
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "router"
_SHELL = """
almanac bell check clerk cli config counter daemon demo export health imap inbox init journal journal_documents
journal_files journal_lines journal_repair journal_snapshot mailhub oauth office outbox privacy progress secret settings
roster rows smtp staging start store terminal tray trouble values __main__
"""
SHELL = frozenset(_SHELL.split())
# Rooms that share a package, each with its reason; every other package has exactly one.
SHARED = {
    "rich": {"terminal", "demo"},  # both print for people
    "lxml": {"htmltext"},
    "pymap": {"mailhub"},
    "proxyprotocol": {"mailhub"},
    "pysasl": {"mailhub"},
    "aiosmtpd": {"mailhub"},
    "tinydb": {"journal", "journal_documents", "journal_files", "journal_lines", "journal_repair", "journal_snapshot"},
}
NOT_PURE = frozenset(
    {"logging", "socket", "subprocess", "threading", "asyncio", "time", "random", "secrets", "urllib.request"}
)


def room_of(path: Path) -> str:
    """A module's room: its file name, or the name of its package."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


@functools.cache
def imports() -> dict[str, set[str]]:
    """Room → every module it imports, also inside functions; imports for the type checker only are left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing_only = {
            id(node)
            for test in ast.walk(tree)
            if isinstance(test, ast.If) and isinstance(test.test, ast.Name) and test.test.id == "TYPE_CHECKING"
            for node in ast.walk(test)
        }
        for node in ast.walk(tree):
            if id(node) in typing_only:
                continue
            if isinstance(node, ast.Import):
                found[room_of(path)].update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found[room_of(path)].add(node.module)
    return found


def test_the_core_never_imports_the_shell() -> None:
    for room, names in imports().items():
        if room in SHELL:
            continue
        shells = {name for name in names if name.startswith("router.") and name.split(".")[1] in SHELL}
        assert not shells, f"router/{room} is core and imports {shells}"


def test_the_core_has_no_clock_no_socket_no_threads_and_no_log() -> None:
    for room, names in imports().items():
        if room not in SHELL:
            assert not names & NOT_PURE, f"router/{room} is core and imports {names & NOT_PURE}"


def test_each_third_party_package_is_known_to_one_room() -> None:
    users: dict[str, set[str]] = defaultdict(set)
    for room, names in imports().items():
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ("router", "__future__"):
                users[top].add(room)
    for package, rooms in users.items():
        assert len(rooms) == 1 or rooms <= SHARED.get(package, set()), f"{package} is imported by {rooms}"


def test_every_room_opens_with_its_manual_page() -> None:
    for path in PACKAGE.rglob("*.py"):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert docstring and docstring.strip(), f"{path.name} has no manual page"
