"""What the compiled step is called with: a table of addresses and sizes, eight bytes each."""

from enum import IntEnum, auto


class Field(IntEnum):
    """A place in the table. B rows, P pairs, S cells, G = 4 · S groups, D hidden size, W width.

    Place 0 stays free.
    """

    # The step's inputs and outputs, as `export.contract` has them.
    tokens = auto()  # (B, S) int32
    source = auto()  # (B,) int64
    noise = auto()  # (B, P) float32
    y = auto()  # (B', P, D) float32
    z = auto()
    y_next = auto()  # (B, P, D) float32
    z_next = auto()
    answer = auto()  # (B, S) int32
    q_halt = auto()  # (B,) float32
    # The model.
    blocks = auto()  # packed weights, a block after the other
    roles = auto()  # (3, D) float32
    starts = auto()  # (4, D) float32: y_start, z_start, y_noise, z_noise
    read = auto()  # (D,) float32: answer logit of a pair
    halt = auto()  # (D,) float32, divided by P: q of the mean
    halt_bias = auto()  # (1,) float32
    # The puzzle.
    pairs = auto()  # P
    cells = auto()  # S
    symbols = auto()  # N
    first_symbol = auto()  # token of the first symbol
    members = auto()  # (P, 4) int32: a pair's cell, row, column, box among the groups
    scale = auto()  # (1,) float32: of a group's sum, 1 / √N
    # What threads share: each takes the next row when it is done with one.
    rows = auto()  # B
    next_row = auto()  # (1,) int64
    # One thread's own.
    begin = auto()  # semaphore: there are rows; of helpers only
    done = auto()  # semaphore: they are done
    over = auto()  # 1: there will be no more
    role_of = auto()  # (P,) int32
    question = auto()  # (P, D) float32: y + x
    h = auto()  # (P, D) float32
    factors = auto()  # (P, D) factors: h
    zeros = auto()  # (P, D) float32
    sums = auto()  # (G, D) float32
    group_factors = auto()  # (G, D) factors: scaled sums
    mixed = auto()  # (G, 2 W) float32: projected groups
    inner = auto()  # (a few pairs, W) factors
