"""What every test server needs: a free port, patience, a certificate, and a word when a program is missing."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"


class ServerMissing(Exception):
    """The program is not installed; the text says which and how to get it."""


def free_port() -> int:
    """A loopback port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`; TimeoutError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.005)


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def program(name: str, package: str) -> str:
    """Where `name` is; ServerMissing when it is not installed. Servers live in sbin, which few have on their path."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    if found := shutil.which(name, path=path):
        return found
    raise ServerMissing(f"{name} is not installed (apt-get install {package})")


def give_away(*paths: Path) -> None:
    """Servers refuse to handle mail as root: what they are to write then belongs to nobody."""
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in paths:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


# Certificates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: a certificate for `localhost` and 127.0.0.1, its key, and the authority that signed it."""

    authority: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificates(folder: Path, name: str = "localhost") -> Certificates:
    """An authority of its own and a certificate for `name`, made with the openssl command."""
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    days = ["-days", "30", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    rights = ["-subj", "/CN=Test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    _openssl("req", "-x509", *days, *rights, "-keyout", folder / "ca.key", "-out", made.authority)
    signer = ["-CA", made.authority, "-CAkey", folder / "ca.key"]
    names = f"subjectAltName=DNS:{name}" + (",IP:127.0.0.1" if name == "localhost" else "")
    leaf = ["-subj", f"/CN={name}", "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"]
    _openssl("req", "-x509", *days, *leaf, *signer, "-keyout", made.key, "-out", made.certificate)
    return made


def _openssl(*words: object) -> None:
    if not shutil.which("openssl"):
        raise ServerMissing("the openssl command is not installed (apt-get install openssl)")
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
