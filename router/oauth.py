"""OAuth: access tokens for IMAP and SMTP, and where a secret is read from.

Job: `read_secret` (environment, file or command), and `AccessTokens`: one token, fetched when needed, kept until
shortly before it expires, shared by the threads. It comes from a command of the operator's or from a refresh token.
Shell; imports nothing of the router and only the standard library. Nothing here knows IMAP or SMTP.

Invariants
- Every failure is a SecretError of one sentence, and no secret stands in it: not what a command printed, not its
  arguments, not what we posted; of the endpoint's answer only what it says of the error.
- Secrets travel over https, or over http to loopback; a redirect is not followed.

Leaves out: the first consent in a browser (the provider's own tools do that).
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import logging
import math
import os
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.message import Message as Headers
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

log = logging.getLogger("router")

EARLY = 300.0  # seconds before its end from which a token is no longer used
UNKNOWN_LIFE = 600.0  # seconds that a token lives whose source does not say
SECONDS = 30.0  # that a command or the endpoint may take
LONGEST_ANSWER = 65_536


class SecretError(Exception):
    """A secret or token could not be had; the text says what happened and what to do, and holds no secret."""


class Token(NamedTuple):
    text: str
    seconds: float  # that it lives from now


def read_secret(*, env: str = "", file: Path | None = None, command: Sequence[str] = ()) -> str:
    """The secret from whichever is given, without the line end; "" when none is. Raises SecretError."""
    if env:
        secret = os.environ.get(env, "")
        return _not_empty(secret, f"the environment variable {env} is not set")
    if file:
        try:
            return _not_empty(file.read_text(encoding="utf-8").rstrip("\r\n"), f"the secret's file {file} is empty")
        except (OSError, UnicodeDecodeError) as failure:
            why = failure.strerror if isinstance(failure, OSError) else "not UTF-8"
            raise SecretError(f"the secret's file {file} cannot be read ({why})") from None
    return _run(command).partition("\n")[0].rstrip("\r") if command else ""


def _not_empty(secret: str, otherwise: str) -> str:
    if not secret:
        raise SecretError(otherwise)
    return secret


def _run(command: Sequence[str]) -> str:
    """What `command` prints. Only its name is told to anybody: arguments and output may be secrets."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, from the configuration, without a shell
            list(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SecretError(f"the command {name} gave no secret within {SECONDS:.0f} s") from None
    except OSError as failure:
        raise SecretError(f"the command {name} cannot be run ({failure.strerror})") from None
    if done.returncode:
        raise SecretError(f"the command {name} failed with status {done.returncode}; run it by hand to see why")
    return _not_empty(done.stdout.decode("utf-8", "replace").strip(), f"the command {name} printed nothing")


class AccessTokens:
    """Call it for a token that works for some minutes yet. Thread-safe; the second caller waits for the first's fetch.

    `clock` counts seconds, as time.monotonic does.
    """

    def __init__(self, fetch: Callable[[], Token], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def __call__(self) -> str:
        """Raises SecretError."""
        with self._lock:
            if not self._token or self._clock() >= self._until:
                text, seconds = self._fetch()
                self._token, self._until = text, self._clock() + max(seconds - EARLY, seconds / 2)
            return self._token

    def forget(self) -> None:
        """The server did not take it: fetch another next time."""
        with self._lock:
            self._token = ""


def from_command(command: Sequence[str]) -> Callable[[], Token]:
    """Tokens from a command that prints one, bare or as JSON with `access_token` and `expires_in`."""

    def fetch() -> Token:
        printed = _run(command)
        if printed.startswith("{"):
            return _read_token(printed, f"the command {Path(command[0]).name}")
        return Token(printed.split("\n")[0].strip(), UNKNOWN_LIFE)

    return fetch


def from_refresh_token(
    endpoint: str,
    client_id: str,
    refresh_token: Callable[[], str],
    client_secret: Callable[[], str] = lambda: "",
    *,
    scope: str = "",
    ca_file: Path | None = None,
    keep: Callable[[str], None] = lambda renewed: None,
) -> Callable[[], Token]:
    """Tokens from the provider's token endpoint (RFC 6749 section 6). Raises ValueError for one that is not https.

    A refresh token that the endpoint gives in place of ours is used from then on, and handed to `keep`.
    """
    host = _endpoint_host(endpoint)
    renewed = [""]

    def fetch() -> Token:
        secrets = (renewed[0] or refresh_token(), client_secret())
        form = {
            "grant_type": "refresh_token",
            "refresh_token": secrets[0],
            "client_id": client_id,
            "client_secret": secrets[1],
            "scope": scope,
        }
        answer = _post(endpoint, {key: value for key, value in form.items() if value}, secrets, ca_file)
        token = _read_token(answer, f"the token endpoint {host}")
        newer = str(json.loads(answer).get("refresh_token") or "")
        if newer and newer != secrets[0]:
            renewed[0] = newer
            keep(newer)
        return token

    return fetch


def keep_in(file: Path) -> Callable[[str], None]:
    """Puts each newer secret into `file`, wholly or not at all, with the owner and the mode that it has.

    Where that cannot be done the log says so: what the file holds is used again after a restart.
    """

    def keep(secret: str) -> None:
        written = file.with_name(f".{file.name}.{os.getpid()}.tmp")
        try:
            was = file.stat()
            fd = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as out:
                os.fchmod(fd, was.st_mode & 0o777)
                if os.geteuid() == 0:  # `check`, run by root, must not shut out the router's user
                    os.fchown(fd, was.st_uid, was.st_gid)
                out.write(f"{secret}\n")
                out.flush()
                os.fsync(fd)
            written.replace(file)
        except OSError as failure:
            with suppress(OSError):
                written.unlink()
            log.warning("a renewed refresh token cannot be kept in %s (%s)", file, failure.strerror)

    return keep


def _endpoint_host(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))):
        return parts.hostname
    raise ValueError(f"the token endpoint {parts.scheme}://{parts.hostname} must be an https:// address")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The form holds secrets: it goes where the operator said, or nowhere."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Headers, newurl: str
    ) -> None:
        return None


def _post(endpoint: str, form: dict[str, str], secrets: Sequence[str], ca_file: Path | None) -> str:
    host = _endpoint_host(endpoint)
    handlers = [_NoRedirect(), urllib.request.HTTPSHandler(context=_trust(ca_file))]
    if _is_loopback(host):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(  # noqa: S310 - https, or http to loopback: _endpoint_host has seen to it
        endpoint, urlencode(form).encode(), {"Accept": "application/json"}
    )
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=SECONDS) as response:
            answer: bytes = response.read(LONGEST_ANSWER)
    except urllib.error.HTTPError as refusal:
        with refusal:
            said = _read_refusal(refusal.read(LONGEST_ANSWER), secrets)
        raise SecretError(f"the token endpoint {host} refuses with status {refusal.code}{said}") from None
    except (OSError, ValueError, http.client.HTTPException) as failure:
        why = getattr(failure, "reason", failure)
        why = why.strerror if isinstance(why, OSError) and why.strerror else type(why).__name__
        raise SecretError(f"the token endpoint {host} cannot be reached ({why})") from None
    return answer.decode("utf-8", "replace")


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """The public authorities, and the mail server's own beside them: the endpoint may be signed by either."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError:  # ssl.SSLError is one
            raise SecretError(f"{ca_file}: no certificates can be read from it; correct ca_file") from None
    return context


def _read_refusal(body: bytes, secrets: Sequence[str]) -> str:
    """RFC 6749 5.2: `error` and `error_description`, on one line, without what we sent."""
    answer = _json(body.decode("utf-8", "replace"))
    said = ": ".join(" ".join(str(answer[key]).split()) for key in ("error", "error_description") if key in answer)
    for secret in filter(None, secrets):
        said = said.replace(secret, "…")
    advice = ", so consent must be given anew" if answer.get("error") == "invalid_grant" else ""
    return f" ({said[:200]}){advice}" if said else ""


def _read_token(text: str, source: str) -> Token:
    answer = _json(text)
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise SecretError(f"{source} gave no access_token")
    try:
        seconds = float(answer["expires_in"])
    except (KeyError, TypeError, ValueError):
        seconds = UNKNOWN_LIFE
    return Token(token, seconds if 0 < seconds < math.inf else UNKNOWN_LIFE)


def _json(text: str) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        answer = json.loads(text)
        if isinstance(answer, dict):
            return answer
    return {}
