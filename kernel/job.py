"""What the compiled step is called with: a table of addresses and sizes, eight bytes each."""

from enum import IntEnum, auto


class Field(IntEnum):
    """A place in the table. B rows, P pairs, S cells, N symbols, G groups, D hidden size, W width.

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
    logits = auto()  # (B, P) float32
    answer = auto()  # (B, S) int32
    q_halt = auto()  # (B,) float32
    # The model.
    blocks = auto()  # packed weights, a block after the other
    roles = auto()  # (roles, D) float32
    told = auto()  # (B, P, D) float32: what a row says of its pairs; palettes only
    starts = auto()  # (4, D) float32: y_start, z_start, y_noise, z_noise
    read = auto()  # (D,) float32: answer logit of a pair
    halt = auto()  # (D,) float32, divided by P: q of the mean
    halt_bias = auto()  # (1,) float32
    # The puzzle.
    pairs = auto()  # P
    cells = auto()  # S
    symbols = auto()  # N
    first_symbol = auto()  # token of the first symbol
    side = auto()  # C, cells in a line
    members = auto()  # (P, 4) int32: a pair's cell, row, column, box or canvas among the groups
    group_ends = auto()  # (group projections,) int64: where the groups of each end
    scale = auto()  # (G,) float32: of a group's sum
    # Attention inside units, U of C cells with K numbers a pair; C' and R are multiples of vectors.
    unit_cells = auto()  # (U, N) int32: rows, columns, boxes; bytes before each cell in (S, C')
    piece_at = auto()  # (P,) int32: bytes before a pair's K numbers in (S, C')
    cell_bytes = auto()  # of C' = N · K and zeros, a cell's numbers
    plane_bytes = auto()  # of (S, C')
    look_bytes = auto()  # of R = N and padding, one cell's weights of a unit
    unit_scale = auto()  # (1,) float32: of products of queries and keys
    # What threads share: each takes the next row when it is done with one.
    rows = auto()  # B
    next_row = auto()  # (1,) int64
    # One thread's own.
    row = auto()  # the one it works on
    begin = auto()  # semaphore: there are rows; of helpers only
    done = auto()  # semaphore: they are done
    over = auto()  # 1: there will be no more
    role_of = auto()  # (P,) int32
    question = auto()  # (P, D) float32: y + x
    h = auto()  # (P, D) float32
    factors = auto()  # (P, D) factors: h; of a palette (P, 2 D), h and its rays
    zeros = auto()  # (P, D) float32
    before = auto()  # (C + 2, C + 2, N, D) float32: what was gathered, zeros around; palettes only
    before_norms = auto()  # (P,) float32: what it and its neighbours were scaled by
    before_factors = auto()  # (P, D) factors: what was gathered; where units are looked at
    qkv = auto()  # (3, S, C') float32
    looks = auto()  # (U, N, R) float32: weights of each unit's cells
    looked = auto()  # (3, S, C') float32: what they weigh in rows, columns, boxes
    looked_factors = auto()  # (P, 2 K) factors: of lines, the larger, and of boxes
    sums = auto()  # (G, D) float32
    group_factors = auto()  # (G, D) factors: scaled sums
    mixed = auto()  # (G, 2 W) float32: projected groups
    tile_shapes = auto()  # what the CPU is told of tiles, 64 bytes
    tile_turned = auto()  # a tile of factors, rows and columns exchanged
    tile_sums = auto()  # (a few pairs, up to 2 W, D or 3 K) float32: what came out of tiles
    inner = auto()  # (a few pairs, W) factors
    # Training: what a step is given and gives besides.
    labels = auto()  # (B, S) int32
    losses = auto()  # (B, LOSS_VALUES) float32
    row_loss = auto()  # C function: a row's loss and its gradient
    chunk_rows = auto()  # rows whose gradients are summed together
    gradients = auto()  # (chunks, floats) float32
    gradient_bytes = auto()  # of a chunk
    back_blocks = auto()  # packed transposed weights
    # Training, one thread's own: what a row's refinements keep for their gradients.
    tape = auto()  # slots of the fields below from `factors` on, one per refinement
    tape_slot = auto()  # bytes of a slot, and where in it begin …
    at_factors = auto()
    at_group_factors = auto()
    at_mixed = auto()
    at_whole = auto()
    at_norms = auto()
    at_before = auto()
    at_before_norms = auto()
    at_before_factors = auto()
    at_qkv = auto()
    at_looks = auto()
    at_looked = auto()
    at_looked_factors = auto()
    at_out = auto()
    whole = auto()  # (P, 2 W) factors: summed projections, before SwiGLU
    norms = auto()  # (P,) float32: what h + output projection was scaled by
    out = auto()  # (P, D) float32: a refinement's output
    # Training, one thread's own: gradients of …
    d_logits = auto()  # (P,) float32
    d_q = auto()  # (1,) float32
    d_out = auto()  # (P, D) float32: a refinement's output, then its input
    d_question = auto()  # (P, D) float32
    d_wide = auto()  # (a few pairs, D) float32: what is normed
    d_wide_rows = auto()  # the same for sums over rows
    d_factors = auto()  # the same as factors
    d_mixed = auto()  # (a few pairs, 2 W) for sums over rows
    d_mixed_factors = auto()  # (a few pairs, 2 W) factors
    wide_h = auto()  # (a few pairs, D), of a palette 2 D: `factors` for sums over rows
    wide_inner = auto()  # (a few pairs, W) inner values for sums over rows
    d_rays = auto()  # (P, D) float32
    d_seen = auto()  # (C + 2, C + 2, N, D) float32: what is normed before a palette's h
    d_qkv = auto()  # (3, S, C') float32
    d_looked = auto()  # (3, S, C') float32
    d_looks = auto()  # (N, R) float32: of a unit's products
    looked_rows = auto()  # (a few pairs, 2 K) for sums over rows
    d_qkv_rows = auto()  # (a few pairs, whole vectors) for sums over rows
    d_qkv_factors = auto()  # the same as factors
    d_groups = auto()  # (G, 2 W) float32
    d_sums = auto()  # (G, D) float32
    # Training, of all rows.
    d_told = auto()  # (B, P, D) float32
    # Training, within the chunk's gradients.
    d_blocks = auto()  # block after block, as `Layout` lays a block's gradients out
    d_roles = auto()  # (roles, D)
    d_read = auto()  # (D,)
    d_halt = auto()  # (D,): of the weights divided by P
    d_halt_bias = auto()  # (1,)
