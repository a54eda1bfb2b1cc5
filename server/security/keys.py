"""API keys: lines `NAME ROLE KEY [rate=PUZZLES_A_SECOND] [burst=PUZZLES]`, and finding one again.

KEY is `sha256:` and the digest of a key, as `ponder keys new` prints it, or a key itself. Keys are
random and long, so that a plain SHA-256 keeps them as well as a slow hash would.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, final, get_args

from server.security.rates import Rate

Role = Literal["user", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

PREFIX = "ponder_"  # so that scanners for leaked secrets can tell what it is
NOBODY = "none"  # in metrics, requests without a key
DIGEST_PREFIX = "sha256:"
RANDOM_BYTES = 32
SHORTEST_KEY = 20  # characters
_KEY = re.compile(rf"[!-~]{{{SHORTEST_KEY},512}}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME_RULE = f"a name has up to 64 of A-Z a-z 0-9 . _ - and is not {NOBODY}"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class KeyFileError(Exception):
    """Keys that cannot be read; says which line, and never a key."""


@dataclass(frozen=True)
class ApiKey:
    """One key; rate: its own, None for that of the settings."""

    name: str
    role: Role
    digest: bytes
    rate: Rate | None = None


@dataclass(frozen=True)
class NewKey:
    """secret: for the client, once. line: for the file of keys; the secret is not in it."""

    secret: str
    line: str


def new_key(name: str, role: Role, random: Callable[[int], bytes]) -> NewKey:
    """A fresh key. Raises: KeyFileError if the name could not stand in a file of keys."""
    if not _NAME.fullmatch(name) or name == NOBODY:
        raise KeyFileError(f"{name!r}: {_NAME_RULE}")
    secret = PREFIX + random(RANDOM_BYTES).hex()
    line = f"{name} {role} {DIGEST_PREFIX}{_digest(secret.encode()).hex()}"
    return NewKey(secret, line)


def read_keys(text: str, source: str) -> tuple[ApiKey, ...]:
    """Keys from lines; empty ones, and what follows a #, are passed over.

    source: where they are from, for messages. Raises: KeyFileError.
    """
    keys: list[ApiKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            keys.append(_read_key(words))
        except ValueError as error:
            raise KeyFileError(f"{source}, line {number}: {error}") from None
    return tuple(keys)


@final
class KeyRing:
    """All keys of a server."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        """Raises: KeyFileError if two share a name, or are the same."""
        self._keys = tuple(keys)
        for what in ("name", "digest"):
            seen = [getattr(key, what) for key in self._keys]
            twice = [key.name for key in self._keys if seen.count(getattr(key, what)) > 1]
            if twice:
                raise KeyFileError(f"the same {what} twice: key {twice[0]}")

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, secret: bytes) -> ApiKey | None:
        """The key that `secret` is; takes as long whichever it is, and if it is none."""
        presented = _digest(secret)
        found = None
        for key in self._keys:  # all of them: how far it goes must tell nothing
            if hmac.compare_digest(key.digest, presented):
                found = key
        return found


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()


def _read_key(words: list[str]) -> ApiKey:
    """Raises: ValueError, which must not tell a key: it ends up in logs."""
    if len(words) < 3:
        raise ValueError("expected NAME ROLE KEY")
    name, role, key, *options = words
    if not _NAME.fullmatch(name) or name == NOBODY:
        raise ValueError(_NAME_RULE)
    found = [one for one in ROLES if one == role]
    if not found:
        raise ValueError(f"the role of {name} is neither {' nor '.join(ROLES)}")
    if key.startswith(DIGEST_PREFIX):
        if not _DIGEST.fullmatch(key.removeprefix(DIGEST_PREFIX)):
            raise ValueError(f"the digest of {name} is not {DIGEST_PREFIX} and 64 hex digits")
        digest = bytes.fromhex(key.removeprefix(DIGEST_PREFIX))
    elif _KEY.fullmatch(key):
        digest = _digest(key.encode())
    else:
        raise ValueError(f"the key {name} has not {SHORTEST_KEY} to 512 characters of ASCII")
    return ApiKey(name, found[0], digest, _read_rate(name, options))


def _read_rate(name: str, options: list[str]) -> Rate | None:
    """Raises: ValueError."""
    given: dict[str, float] = {}
    for option in options:
        what, _, value = option.partition("=")
        if what not in ("rate", "burst") or what in given:
            raise ValueError(f"after the key {name} come rate=NUMBER and burst=NUMBER, once each")
        try:
            given[what] = float(value)
        except ValueError:
            raise ValueError(f"{what} of {name} is no number") from None
    if not given:
        return None
    if "rate" not in given:
        raise ValueError(f"{name} has a burst and no rate")
    try:
        return Rate(given["rate"], given.get("burst", max(1.0, given["rate"])))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
