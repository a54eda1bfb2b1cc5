"""Names of what a server keeps, which sort by the time at which they were made."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_CHARACTERS = 26
RANDOM_BYTES = 10


def sortable_id(prefix: str, now_ms: int, random: bytes) -> str:
    """The prefix and a ULID: 48 bits of milliseconds since 1970, then 80 random ones."""
    number = now_ms << 80 | int.from_bytes(random[:RANDOM_BYTES])
    digits = [_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARACTERS))]
    return prefix + "".join(digits)
