"""How much arithmetic a supervision step is: its matrix products, by shape.

Only multiply-adds of matrix products count, as in a limit set by GEMM: norms, activations and
means are work that a faster step spends less on.
"""

from dataclasses import dataclass, replace

from model.config import ModelConfig
from model.layers import swiglu_width
from model.palette import SYMBOLS as PALETTE_SYMBOLS
from puzzles.kind import PuzzleSpec


@dataclass(frozen=True)
class Product:
    """`times` products (rows, inner) x (inner, columns) per puzzle.

    shared: the right operand is a weight, one for all puzzles of a batch.
    """

    rows: int
    inner: int
    columns: int
    times: int = 1
    shared: bool = True

    @property
    def flops(self) -> int:
        """A multiply-add counts twice."""
        return 2 * self.rows * self.inner * self.columns * self.times


def step_flops(config: ModelConfig, spec: PuzzleSpec) -> int:
    """Of one supervision step of one puzzle: T times n + 1 refinements, and reading the answer."""
    refinements = config.deep_recursions * (config.latent_recursions + 1)
    refining = sum(product.flops for product in refinement_products(config, spec))
    return refinements * refining + sum(p.flops for p in _reading_products(config, spec))


def training_flops(config: ModelConfig, spec: PuzzleSpec) -> int:
    """Of one training step of one puzzle: what has a gradient costs three times its forward pass.

    Only the last of the T deep recursions has one.
    """
    refining = sum(product.flops for product in refinement_products(config, spec))
    passes = (config.deep_recursions - 1 + 3) * (config.latent_recursions + 1)
    return passes * refining + 3 * sum(p.flops for p in _reading_products(config, spec))


def refinement_products(config: ModelConfig, spec: PuzzleSpec) -> tuple[Product, ...]:
    """Matrix products of one refinement of one puzzle."""
    if config.cell == "lattice":
        block = _lattice_block(config, spec)
    elif config.cell == "palette":
        block = _palette_block(config, spec)
    elif config.cell == "mlp":
        length = config.prefix_len + spec.seq_len
        block = (
            *_swiglu(config.hidden_size, length, config.expansion),
            *_swiglu(length, config.hidden_size, config.expansion),
        )
    else:
        block = _attention_block(config, spec)
    return tuple(replace(product, times=product.times * config.blocks) for product in block)


def _lattice_block(config: ModelConfig, spec: PuzzleSpec) -> tuple[Product, ...]:
    size, width = config.hidden_size, round(config.hidden_size * config.expansion)
    pairs = spec.seq_len * spec.symbols
    return (
        *_unit_attention(config, spec),
        Product(pairs, size, 2 * width),
        # Cells, rows, columns and boxes: as many groups of each as cells.
        Product(spec.seq_len, size, 2 * width, times=4),
        Product(pairs, width, size),
    )


def _unit_attention(config: ModelConfig, spec: PuzzleSpec) -> tuple[Product, ...]:
    """Of rows, columns and boxes, as many of each as symbols, of as many cells."""
    if not config.unit_attention:
        return ()
    pairs, symbols, key = spec.seq_len * spec.symbols, spec.symbols, config.unit_attention
    return (
        Product(pairs, config.hidden_size, 3 * key),
        Product(symbols, symbols * key, symbols, times=3 * symbols, shared=False),
        Product(symbols, symbols, symbols * key, times=3 * symbols, shared=False),
        Product(pairs, 2 * key, config.hidden_size),
    )


def _palette_block(config: ModelConfig, spec: PuzzleSpec) -> tuple[Product, ...]:
    size, width = config.hidden_size, round(config.hidden_size * config.expansion)
    pairs = spec.seq_len * PALETTE_SYMBOLS
    # Cells; rows and columns of each symbol; the canvas of each.
    groups = spec.seq_len + (spec.height + spec.width + 1) * PALETTE_SYMBOLS
    return (
        Product(pairs, 2 * size, 2 * width),  # its own state, and what lies along rays
        Product(groups, size, 2 * width),
        Product(pairs, width, size),
    )


def _attention_block(config: ModelConfig, spec: PuzzleSpec) -> tuple[Product, ...]:
    size, length = config.hidden_size, config.prefix_len + spec.seq_len
    head = size // config.heads
    return (
        Product(length, size, 3 * size),
        Product(length, head, length, times=config.heads, shared=False),
        Product(length, length, head, times=config.heads, shared=False),
        Product(length, size, size),
        *_swiglu(length, size, config.expansion),
    )


def _swiglu(rows: int, size: int, expansion: float) -> tuple[Product, ...]:
    width = swiglu_width(size, expansion)
    return Product(rows, size, 2 * width), Product(rows, width, size)


def _reading_products(config: ModelConfig, spec: PuzzleSpec) -> tuple[Product, ...]:
    halt = Product(1, config.hidden_size, 1)
    if config.cell in ("lattice", "palette"):
        symbols = spec.symbols if config.cell == "lattice" else PALETTE_SYMBOLS
        return Product(spec.seq_len * symbols, config.hidden_size, 1), halt
    return Product(spec.seq_len, config.hidden_size, spec.vocab_size), halt
