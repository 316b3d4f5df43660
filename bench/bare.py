"""The bare script that the pipeline is measured against: IMAP in, a durable line, two mails out, filed.

`python bench/bare.py IMAP_PORT SMTP_PORT USER PASSWORD`. What anybody would write in an afternoon: imapclient,
`email.policy.default`, an fsync a mail, aiosmtplib with four connections. No protocol, no restraint, no recovery.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from email import message_from_bytes, policy
from email.message import EmailMessage

import aiosmtplib
from imapclient import IMAPClient


def answers(raw: bytes) -> tuple[str, list[EmailMessage]]:
    mail = message_from_bytes(raw, policy=policy.default)
    body = mail.get_body(("plain", "html"))
    text = body.get_content() if body else ""
    out = []
    for to in ("crew@coll.example", mail["From"].addresses[0].addr_spec):
        answer = EmailMessage()
        answer["From"], answer["To"], answer["Subject"] = "hello@coll.example", to, f"Re: {mail['Subject']}"
        answer["In-Reply-To"] = mail["Message-ID"]
        answer.set_content(f"Somebody will answer.\n\n{text if to.startswith('crew') else ''}")
        answer.add_alternative(
            f"<p>Somebody will answer.</p><pre>{text if to.startswith('crew') else ''}</pre>", subtype="html"
        )
        out.append(answer)
    return text, out


async def send(port: int, queue: asyncio.Queue[EmailMessage | None]) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
        while (mail := await queue.get()) is not None:
            await smtp.send_message(mail)


async def main(imap_port: int, smtp_port: int, user: str, password: str) -> None:
    queue: asyncio.Queue[EmailMessage | None] = asyncio.Queue()
    senders = [asyncio.create_task(send(smtp_port, queue)) for _ in range(4)]
    with IMAPClient("127.0.0.1", imap_port, ssl=False) as server, tempfile.NamedTemporaryFile() as store:
        server.login(user, password)
        server.select_folder("INBOX")
        if not server.folder_exists("Handled"):
            server.create_folder("Handled")
        uids = server.search()
        for start in range(0, len(uids), 50):
            for data in server.fetch(uids[start : start + 50], ["BODY.PEEK[]"]).values():
                text, mails = answers(data[b"BODY[]"])
                store.write(json.dumps({"text": text}).encode() + b"\n")
                store.flush()
                os.fsync(store.fileno())
                for mail in mails:
                    queue.put_nowait(mail)
                await asyncio.sleep(0)
            server.move(uids[start : start + 50], "Handled")
    for _ in senders:
        queue.put_nowait(None)
    await asyncio.gather(*senders)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
