"""Reading what benchmarks are asked in a line of text."""

from bench.report import BenchError


def parse_numbers(text: str) -> tuple[int, ...]:
    """Read `1,4,16`. Raises: BenchError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise BenchError(f"{text!r}: expected numbers from 1 with commas between, as in 1,4,16")
    return tuple(int(part) for part in parts)
