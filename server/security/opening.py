"""Settings → who may do what. Reads the keys, or makes one."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from server.security.access import Access
from server.security.addresses import is_loopback
from server.security.keys import ApiKey, KeyFileError, NewKey, new_key, read_keys
from server.security.origins import Origins
from server.security.rates import Rate
from server.settings import Settings

log = logging.getLogger(__name__)

FROM_ENVIRONMENT = "PONDER_API_KEYS"


class NoKeysError(Exception):
    """Keys are asked for, and there are none."""


@dataclass(frozen=True)
class Opened:
    """generated: the key that was made because none is configured."""

    access: Access
    generated: NewKey | None = None


def open_access(
    settings: Settings, clock: Callable[[], float], random: Callable[[int], bytes]
) -> Opened:
    """Read the keys, or make one where keys are asked for and none is configured.

    Raises: KeyFileError; NoKeysError where the settings insist on keys, and there are none.
    """
    rate = _rate(settings)
    if not asks_for_keys(settings):
        if not is_loopback(settings.host):
            log.warning("nobody is asked for a key", extra={"host": settings.host})
        return Opened(Access(tuple, required=False, rate=rate, clock=clock))
    if _has_keys(settings):
        access = Access(lambda: _configured(settings), required=True, rate=rate, clock=clock)
        return Opened(access)
    if settings.auth == "on":
        raise NoKeysError(
            f"auth is on, and there is no key: give --api-key-file, or {FROM_ENVIRONMENT}"
        )
    made = new_key("generated", "admin", random)
    keys = read_keys(made.line, "the generated key")
    return Opened(Access(lambda: keys, required=True, rate=rate, clock=clock), made)


def open_origins(settings: Settings) -> Origins:
    """Which web pages may ask.

    Where keys are asked for, a page needs one. Where they are not, whoever can be made to look at
    a page would ask in its name.
    """
    keyless = not asks_for_keys(settings)
    local = keyless and is_loopback(settings.host)
    return Origins(
        hosts=frozenset(settings.allowed_hosts) if settings.allowed_hosts or local else None,
        origins=frozenset(settings.cors_origins) if keyless else None,
    )


def announced(made: NewKey) -> str:
    """What whoever started the server has to know of the key that was made. Not for the log."""
    return (
        "No API key is configured, and others may reach this server. "
        "This start has made one, for as long as it runs:\n\n"
        f"    Authorization: Bearer {made.secret}\n\n"
        f"Keys that stay: `ponder keys new NAME`, then --api-key-file or {FROM_ENVIRONMENT}. "
        "To ask for none: --auth off.\n"
    )


def asks_for_keys(settings: Settings) -> bool:
    """Whether requests need a key: by default where others can reach the server, or keys are."""
    if settings.auth == "auto":
        return _has_keys(settings) or not is_loopback(settings.host)
    return settings.auth == "on"


def _has_keys(settings: Settings) -> bool:
    """A variable that is set and empty, as compose files set it, has none."""
    return settings.api_key_file is not None or bool(_given(settings))


def _configured(settings: Settings) -> Iterable[ApiKey]:
    """Keys of the file, and of the environment. Raises: KeyFileError."""
    keys: tuple[ApiKey, ...] = ()
    if settings.api_key_file is not None:
        keys += read_keys(_text(settings.api_key_file), str(settings.api_key_file))
    return keys + read_keys(_given(settings), FROM_ENVIRONMENT)


def _given(settings: Settings) -> str:
    """Lines of the environment."""
    keys = settings.api_keys
    return "" if keys is None else keys.get_secret_value().replace(",", "\n").strip()


def _rate(settings: Settings) -> Rate | None:
    if settings.rate_limit is None:
        return None
    burst = settings.rate_burst or max(settings.batch_limit, settings.rate_limit)
    return Rate(settings.rate_limit, burst)


def _text(path: Path) -> str:
    """Raises: KeyFileError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeyFileError(f"{path}: not UTF-8") from error
