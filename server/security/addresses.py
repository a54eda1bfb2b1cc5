"""Addresses of clients and of the server itself. Pure."""

import ipaddress

from starlette.types import Scope

LOOPBACK_NAME = "localhost"
IPV6_SITE_BITS = 64  # one client usually has that many addresses to itself
# What proxies add. A client on this machine that sends one of these speaks for somebody else.
_FORWARDING = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address, or is meant by it; names: `localhost`."""
    if host == LOOPBACK_NAME:
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_local(scope: Scope) -> bool:
    """Whether a request began on this machine: from a loopback address, and through no proxy."""
    client = scope.get("client")
    return (
        client is not None
        and is_loopback(client[0])
        and not any(name in _FORWARDING for name, _ in scope["headers"])
    )


def site(scope: Scope) -> str:
    """Whose requests share a rate: an IPv4 address, or the /64 network of an IPv6 address."""
    client = scope.get("client")
    host = str(client[0]) if client else "unknown"
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address.packed, IPV6_SITE_BITS), strict=False))
    return host


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, as IPv4 where IPv6 wraps one; None of what is none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
