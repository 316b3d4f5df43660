"""The seeded mails that every run takes in: the same seed gives the same requests.

Requests from strangers, 8 kB on average, a tenth of them with an attachment of 30 kB. Written with the standard
library, so that no encoder of ours has a hand in what is measured.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

_WORDS = "we need help with a rust service next week please review our design budget team data cloud and security"
WORDS = _WORDS.split()
LINES = (20, 140)  # of a request, 11 words each


def request(number: int, seed: int, pick: random.Random) -> bytes:
    """One client's request, each from a company of its own; every tenth carries a file."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = f"Client {number} <c{number}@company{number}.example>"
    mail["To"], mail["Subject"] = "hello@coll.example", f"Request {seed}-{number}"
    mail["Message-ID"] = f"<{seed}.{number}@company{number}.example>"
    mail["Date"] = datetime.now(UTC)
    lines = [" ".join(pick.choices(WORDS, k=11)) for _ in range(pick.randint(*LINES))]
    mail.set_content(f"Hello, this is number {number}.\n\n" + "\n".join(lines))
    if number % 10 == 0:
        mail.add_attachment(pick.randbytes(22_000), maintype="application", subtype="pdf", filename="brief.pdf")
    return mail.as_bytes()


def requests(count: int, seed: int) -> list[bytes]:
    pick = random.Random(seed)
    return [request(number, seed, pick) for number in range(count)]
