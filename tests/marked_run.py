"""`bun-router`, as talkative as it can be, and breaking on some mails: `python -m tests.marked_run WORDS…`.

Every logger writes everything, and a mail whose subject says "poison" breaks the router with an exception that quotes
the mail. The tests that look for bodies and secrets in what is written run this instead of the command itself.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from router import cli, office


def main() -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger().setLevel(logging.DEBUG)
    inner = office.decide

    def decide(incoming: Any, *more: Any) -> Any:
        if "poison" in incoming.message.subject:
            raise ValueError(f"cannot handle {incoming.message.text!r}")
        return inner(incoming, *more)

    office.decide = decide
    sys.argv = ["bun-router", *sys.argv[1:]]
    cli.main()


if __name__ == "__main__":
    main()
