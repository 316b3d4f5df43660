"""`bun-router run`, killed (SIGKILL) at a named step: `python -m tests.killed_run STEP COUNT --config FILE`.

Steps are those that the journal and the outbox announce, and around filing and marking, which are wrapped here: the
product itself knows nothing of this. "never" runs unharmed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from router import cli, journal, outbox
from router.inbox import Inbox
from router.store import Store

STEPS = (
    "journal-write",
    "journal-written",
    "journal-fsynced",
    "snapshot-written",
    "snapshot-fsynced",
    "snapshot-renamed",
    "journal-reset",
    "smtp-mail",
    "smtp-data",
    "smtp-accepted",
    "before-mark",
    "after-mark",
    "before-file",
    "after-file",
    "before-flush",
    "after-flush",
)

MAX_JOURNAL = 20_000  # bytes: a snapshot every few requests, where it is 8 MB in earnest


def main() -> None:
    wanted, left = sys.argv[1], [int(sys.argv[2])]

    def step(name: str) -> None:
        if name == wanted:
            left[0] -= 1
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(owner: Any, method: str, label: str) -> None:
        inner: Callable[..., Any] = getattr(owner, method)

        def wrapped(*words: Any, **more: Any) -> Any:
            step(f"before-{label}")
            result = inner(*words, **more)
            step(f"after-{label}")
            return result

        setattr(owner, method, wrapped)

    journal.on_step = outbox.on_step = step
    journal.JournalDB.__init__.__kwdefaults__["max_journal"] = MAX_JOURNAL
    around(Inbox, "file", "file")
    around(Store, "mark", "mark")
    around(Store, "flush", "flush")
    sys.argv = ["bun-router", "run", *sys.argv[3:]]
    cli.main()


if __name__ == "__main__":
    main()
