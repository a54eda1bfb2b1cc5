"""Which instructions are chosen, by what a CPU has and its system allows."""

import pytest

import kernel.isa
from kernel.isa import Isa, UnsupportedError, host_isa

AVX2 = {"avx2": True}
VECTORS = AVX2 | {"avx512f": True, "avx512bf16": True}
TILES = VECTORS | {"amx-tile": True, "amx-bf16": True}


def pretend(monkeypatch: pytest.MonkeyPatch, features: dict[str, bool], *, allowed: bool) -> None:
    """This CPU has these features; allowed: its system lets AMX be used where there is any."""
    monkeypatch.setattr(kernel.isa.llvm, "get_host_cpu_features", lambda: features)
    has_tiles = bool(features.get("amx-tile"))
    monkeypatch.setattr(kernel.isa, "may_use_tiles", lambda: allowed and has_tiles)


@pytest.mark.parametrize(
    ("features", "allowed", "expected"),
    [
        (AVX2, True, Isa(8, 16)),
        (VECTORS, True, Isa(16, 32, "bfloat16")),
        (TILES, True, Isa(16, 32, "bfloat16", tiles=True)),
        (TILES, False, Isa(16, 32)),
    ],
    ids=["avx2", "bfloat16 vectors", "tiles", "tiles that may not be used"],
)
def test_the_fastest_is_chosen(
    features: dict[str, bool], expected: Isa, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    pretend(monkeypatch, features, allowed=allowed)
    assert host_isa(sizes=(32, 64)) == expected


def test_what_is_asked_for_is_had_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, TILES, allowed=False)
    assert host_isa("bfloat16") == Isa(16, 32, "bfloat16")
    assert host_isa("float32") == Isa(16, 32)
    pretend(monkeypatch, AVX2, allowed=True)
    with pytest.raises(UnsupportedError, match="bfloat16 needs a CPU with AVX512-BF16"):
        host_isa("bfloat16")


def test_vectors_divide_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, TILES, allowed=True)
    assert host_isa(sizes=(32, 8)) == Isa(8, 32)
