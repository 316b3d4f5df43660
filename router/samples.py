"""Lines that begin as quoted ones do and are the writer's own: code, prompts, comparisons.

Job: say which lines of a text a mail program did not mark, whatever they begin with. Core: pure; imports the smallest
questions only. Invariant: every line is looked at a few times at most.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from router.lines import LINE, is_quoted, line_above

_MORE_THAN = re.compile(r"> ?\d")
_SHELL = re.compile(
    r"\s*(?:mysql|mariadb|sqlite|psql|cqlsh|redis|sftp|lftp|nslookup|ghci|lldb)> \S"  # no name of a person
)
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+)+(?![\d.])")
_DIFF = re.compile(r"\d+(?:,\d+)?[acd]\d+(?:,\d+)?$")
_RECEIVED = re.compile(r"< (?:HTTP/|\d{3}[ -])")
_CODE = re.compile(r"\s*>>> (?:import |from [\w.]+ import |[\w.]+(?:\(|\[| ?=))")


def samples(lines: Sequence[str], heads: Callable[[str], bool]) -> frozenset[int]:
    """Lines outside fences that are no quote though they begin with a mark of quoting.

    `heads` says of a line that ends in a colon whether it may be the last of an attribution.
    """
    shells = frozenset(
        at
        for at, line in enumerate(lines)
        if "> " in line[:20]
        and _SHELL.match(line[:LINE])
        and not any(beside.lstrip().startswith(">") for beside in lines[max(0, at - 1) : at + 2])
    )
    return _comparisons(lines) | _prompts(lines, heads) | _traces(lines) | shells


def fenced(lines: Sequence[str]) -> frozenset[int]:
    """The lines from each ``` to the next."""
    marks = [at for at, line in enumerate(lines) if "```" in line and line.strip().startswith("```")]
    pairs = zip(marks[::2], marks[1::2], strict=False)
    return frozenset(row for first, last in pairs for row in range(first, last + 1))


def _stretches(lines: Sequence[str]) -> Iterator[range]:
    """The lines between blank ones."""
    start = 0
    for at in range(len(lines) + 1):
        if at < len(lines) and lines[at].strip():
            continue
        if start < at:
            yield range(start, at)
        start = at + 1


def _prompts(lines: Sequence[str], heads: Callable[[str], bool]) -> frozenset[int]:
    """Python at its prompt: ">>> " before what can only be code, with nothing else that is quoted beside it.

    Where ">>" stands anywhere, ">>>" is one level more.
    """
    if any(line.startswith(">>") and line[2:3] != ">" for line in map(str.lstrip, lines)):
        return frozenset()
    typed: list[int] = []
    stretches = list(_stretches(lines))
    for place, stretch in enumerate(stretches):
        rows = [at for at in stretch if lines[at].lstrip().startswith(">")]
        above = [each[-1] for each in stretches[max(0, place - 1) : place]]
        below = [each[0] for each in stretches[place + 1 : place + 2]]
        near = (lines[at].strip() for at in (*above, *rows, *below))
        if any(line[:1] == ">" and (line[:4] != ">>> " or line.endswith(">>>")) for line in near):
            continue
        if rows and not _is_introduced(lines, rows[0], heads):
            typed += rows
    return frozenset(typed) if any(_CODE.match(lines[at][:LINE]) for at in typed) else frozenset()


def _traces(lines: Sequence[str]) -> frozenset[int]:
    """What was sent, between what a program says and what came back: "* Connected", "> GET /", "< 200 OK"; diffs."""
    found: set[int] = set()
    for stretch in _stretches(lines):
        rows = [(at, lines[at][:LINE].lstrip()) for at in stretch]
        diff = _DIFF.match(rows[0][1])
        if diff or (rows[0][1].startswith("* ") and any(_RECEIVED.match(line) for _, line in rows)):
            found.update(at for at, line in rows if line.startswith(">"))
    return frozenset(found)


def _is_introduced(lines: Sequence[str], at: int, heads: Callable[[str], bool]) -> bool:
    """The line above `at` ends in a colon, and as attributions do; a number in it is enough, but for a version's."""
    above = line_above(lines, at)[-LINE:]
    return above.endswith(":") and (heads(above) or any(sign.isdigit() for sign in _VERSION.sub("", above)))


def _comparisons(lines: Sequence[str]) -> frozenset[int]:
    """Lines like "> 500 people came", which only go on with the sentence above: one such line, and a number in it."""
    found: set[int] = set()
    typed: set[int] = set()  # at a shell's prompt, which asks for more with ">"
    for at in range(1, len(lines)):
        if lines[at].startswith("> ") and (at - 1 in typed or lines[at - 1].startswith("$ ")):
            typed.add(at)
            continue
        if not _MORE_THAN.match(lines[at][:20]) or is_quoted(lines[at - 1]):
            continue
        above, below = lines[at - 1].rstrip(), lines[at + 1] if at + 1 < len(lines) else ""
        if len(above) >= 25 and above[-1].isalpha() and not is_quoted(below):
            found.add(at)
    return frozenset(found | typed)
