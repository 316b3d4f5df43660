"""Secrets: a password or token from the one place where the operator keeps it, at the moment it is needed.

Job: read an environment variable, a file, or the first line that a command prints; and `ConfigError`, with which every
fault of the configuration is reported.
Shell. Imports no other room. A secret's value is never part of an error, a log line or a process's arguments.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

COMMAND_SECONDS = 30


class ConfigError(Exception):
    """The configuration, or a secret it points to, cannot be used. `faults` are whole sentences for the operator."""

    def __init__(self, faults: Iterable[str], where: str = "") -> None:
        self.faults = tuple(faults)
        self.where = where
        super().__init__("\n".join(self.faults))


def read_secret(key: str, env: str, file: Path | None, command: Iterable[str]) -> str:
    """One secret from the source that is given; its value is never part of an error."""
    if env:
        return _whole(os.environ.get(env, ""), f"{key}_env: the environment variable {env} is not set; set it")
    if file is not None:
        try:
            return _whole(file.read_text(encoding="utf-8").strip("\r\n"), f"{key}_file: {file} is empty")
        except FileNotFoundError:
            raise ConfigError([f"{key}_file: {file} is missing; write the secret there"]) from None
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError([f"{key}_file: {file} cannot be read: {why}"]) from None
    return run_for_secret(f"{key}_command", command)


def run_for_secret(key: str, command: Iterable[str]) -> str:
    """The first line that a command prints. Raises ConfigError; what a failing command printed is not repeated."""
    argv = tuple(command)
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        raise ConfigError([f"{key}: {argv[0]} did not end within {COMMAND_SECONDS} seconds"]) from None
    except (OSError, UnicodeDecodeError, IndexError):
        raise ConfigError([f"{key}: {argv[0] if argv else 'the command'} cannot be run"]) from None
    if done.returncode:
        raise ConfigError([f"{key}: {argv[0]} ended with status {done.returncode}; run it by hand to see why"])
    return _whole(done.stdout.partition("\n")[0].strip("\r"), f"{key}: {argv[0]} printed nothing")


def _whole(value: str, fault: str) -> str:
    if not value:
        raise ConfigError([fault])
    return value
