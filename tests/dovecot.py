"""A private Dovecot on loopback: its own configuration, its own Maildirs, any user, stopped by process id."""

from __future__ import annotations

import base64
import contextlib
import grp
import hashlib
import hmac
import itertools
import json
import os
import pwd
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from tests.loopback import HOST, free_port, give_away, listens, make_certificates, program, wait_until

_NUMBERS = itertools.count()
_TOKEN_KEY = b"a key that only this Dovecot knows"

_DOVECOT = """
protocols = imap
listen = {host}
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
default_internal_user = {service_user}
default_internal_group = {service_group}
default_login_user = {login_user}
ssl = yes
ssl_cert = <{certificates.certificate}
ssl_key = <{certificates.key}
ssl_dh =
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login xoauth2 oauthbearer
mail_location = maildir:~/Maildir
mail_plugins = quota
protocol imap {{
  mail_plugins = quota imap_quota
  mail_max_userip_connections = 1000
}}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_grace = 0
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {home}/oauth2
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = passwd-file
  args = {home}/limited
  default_fields = uid={mail_user.pw_uid} gid={mail_user.pw_gid} home={home}/mail/%n
}}
userdb {{
  driver = static
  args = uid={mail_user.pw_uid} gid={mail_user.pw_gid} home={home}/mail/%n
}}
service anvil {{
  chroot =
  # no waiting time after failed logins
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
{extra}
"""


class Dovecot:
    """A private Dovecot on loopback: any user logs in with `PASSWORD`, and gets a Maildir at the first login.

    `plain_port` offers STARTTLS as well; `tls_port` is TLS from the start. `prefix` and `separator` shape the
    namespace ("INBOX." and "." as Courier had it). `extra` is appended to the configuration (`imap_capability = …`).
    `limited` gives users a quota: {"bo": "*:messages=3"}. XOAUTH2 and OAUTHBEARER take an `access_token`.
    """

    PASSWORD = "correct-horse"

    def __init__(
        self, *, separator: str = "/", prefix: str = "", extra: str = "", limited: Mapping[str, str] | None = None
    ) -> None:
        self._limited = dict(limited or {})
        self._shape = {"separator": separator, "prefix": prefix, "extra": extra}
        self.plain_port = 0
        self.tls_port = 0

    def __enter__(self) -> Self:
        path = program("dovecot", "dovecot-imapd")
        self._temporary = tempfile.TemporaryDirectory(prefix="dc", dir="/tmp")  # short: sockets live below it
        self.home = Path(self._temporary.name)
        self.home.chmod(0o755)
        for name in ("mail", "state"):
            (self.home / name).mkdir()
        give_away(self.home / "mail")
        self._write_limits()
        self._trust_tokens()
        self.certificates = make_certificates(self.home)
        self.plain_port, self.tls_port = free_port(), free_port()
        (self.home / "conf").write_text(self._configuration())
        self._path = path
        try:
            self.go_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.go_down()
        self._temporary.cleanup()

    def go_down(self) -> None:
        """End the server and every connection at once, as a crash of its machine would; the mails stay."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        numbers = children.read_text().split() if children.exists() else []
        self._process.kill()
        self._process.wait(15)
        for number in numbers:  # a connection's process outlives its master
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(number), signal.SIGKILL)

    def go_up(self) -> None:
        """Start it, again after `go_down`: on the same ports, with the same mails.

        A lock of a killed process goes: Dovecot sees after two seconds that its owner is dead, a client that tests have
        made impatient has hung up by then, and the next connection begins those two seconds anew.
        """
        for lock in (self.home / "mail").rglob("dovecot-uidlist.lock"):
            lock.unlink()
        command = [self._path, "-F", "-c", str(self.home / "conf")]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(self._ready, 15, "Dovecot")

    def limit(self, user: str, rule: str) -> None:
        """Give a user another quota from now on."""
        self._limited = {**self._limited, user: rule}
        self._write_limits()

    def _write_limits(self) -> None:
        lines = [f"{user}:::::::userdb_quota_rule={rule}\n" for user, rule in self._limited.items()]
        (self.home / "limited").write_text("".join(lines))

    def _configuration(self) -> str:
        root = os.getuid() == 0
        me = pwd.getpwuid(os.getuid()).pw_name
        return _DOVECOT.format(
            host=HOST,
            home=self.home,
            certificates=self.certificates,
            password=self.PASSWORD,
            service_user="dovecot" if root else me,
            service_group="dovecot" if root else grp.getgrgid(os.getgid()).gr_name,
            login_user="dovenull" if root else me,
            mail_user=pwd.getpwnam("nobody") if root else pwd.getpwuid(os.getuid()),
            plain=self.plain_port,
            tls=self.tls_port,
            **self._shape,
        )

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"Dovecot ended at its start: {self.log()}")
        return listens(self.plain_port) and listens(self.tls_port)

    def log(self) -> str:
        """What Dovecot wrote, for a failed test."""
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _trust_tokens(self) -> None:
        keys = self.home / "keys" / "default" / "HS256"
        keys.mkdir(parents=True)
        (keys / "default").write_bytes(base64.b64encode(_TOKEN_KEY))
        (self.home / "oauth2").write_text(
            "introspection_mode = local\nusername_attribute = sub\n"
            f"local_validation_key_dict = fs:posix:prefix={self.home}/keys/\n"
        )

    @staticmethod
    def access_token(user: str, seconds: int = 3600) -> str:
        """A token (a signed JWT) with which `user` logs in for so long."""
        claims = {"sub": user, "iat": int(time.time()) - 5, "exp": int(time.time()) + seconds}
        said = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{said}.{_base64(hmac.digest(_TOKEN_KEY, said.encode(), hashlib.sha256))}"

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        """Where the mails of a folder ("INBOX", "Handled", "A.B") lie; made when missing."""
        top = self.home / "mail" / user / "Maildir"
        path = top if folder == "INBOX" else top / f".{folder}"
        for part in (top.parent, top, path, *(path / name for name in ("tmp", "new", "cur"))):
            if not part.exists():
                part.mkdir(exist_ok=True)  # Dovecot may have just made it
                give_away(part)
        return path

    def deliver(self, user: str, raw: bytes, folder: str = "INBOX", received: datetime | None = None) -> None:
        """Put a mail into a Maildir as a delivery agent does: written to tmp/, renamed into new/."""
        box = self.maildir(user, folder)
        name = f"{time.time_ns()}.{next(_NUMBERS)}.local"
        written = box / "tmp" / name
        written.write_bytes(raw.replace(b"\r\n", b"\n"))
        if received:
            os.utime(written, (received.timestamp(), received.timestamp()))
        give_away(written)
        written.rename(box / "new" / name)

    def renumber(self, user: str, folder: str = "INBOX") -> None:
        """Lose the folder's indexes, as after a restored backup: it gets another UIDVALIDITY and new UIDs."""
        box, top = self.maildir(user, folder), self.maildir(user)
        for path in box.glob("dovecot*"):
            if not path.name.startswith("dovecot-uidvalidity"):
                path.unlink()
        for path in top.glob("dovecot-uidvalidity*"):  # it counts from the seconds of the clock, which may be the same
            path.unlink()
        (top / f"dovecot-uidvalidity.{int(time.time()) + 1000:08x}").touch()

    def mails(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """The mails that lie in a folder, in the order of their file names."""
        box = self.maildir(user, folder)
        while True:
            paths = sorted([*(box / "new").iterdir(), *(box / "cur").iterdir()], key=lambda path: path.name)
            with contextlib.suppress(FileNotFoundError):  # moved, or flagged, while we looked
                return [path.read_bytes() for path in paths]


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
