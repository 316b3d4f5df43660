"""Secrets as the configuration names them: a password or token from its one source, or a fault under its key.

Job: `ConfigError`, with which every fault of the configuration is reported, and `read_named`, which gives the faults of
`oauth.read_secret` the key of the source. Shell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from router.oauth import SecretError, read_secret


class ConfigError(Exception):
    """The configuration, or a secret it points to, cannot be used. `faults` are whole sentences for the operator."""

    def __init__(self, faults: Iterable[str], where: str = "") -> None:
        self.faults = tuple(faults)
        self.where = where
        super().__init__("\n".join(self.faults))


class SecretFault(ConfigError, SecretError):
    """A secret that cannot be had: a fault of the configuration for who starts, a SecretError for who logs in."""


def read_named(key: str, env: str = "", file: Path | None = None, command: Sequence[str] = ()) -> str:
    """The secret of `key`, "imap.password" say, read now from whichever source is given.

    Raises SecretFault, which names the source's key and never the secret.
    """
    source = "env" if env else "file" if file else "command"
    try:
        secret = read_secret(env=env, file=file, command=command)
    except SecretError as fault:
        raise SecretFault([f"{key}_{source}: {fault}"]) from None
    if not secret:
        raise SecretFault([f"{key}_env: is missing, so there is no password to log in with"])
    return secret
