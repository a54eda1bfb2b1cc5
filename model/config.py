"""The shape of a network: a closed, frozen value that rebuilds it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Cell = Literal["mlp", "attention", "lattice", "palette"]
Position = Literal["rope", "learned", "none"]


class ModelConfig(BaseModel):
    """Sizes of a Tiny Recursive Model: `latent_recursions` is n, `deep_recursions` T.

    `expansion`: inner width of a SwiGLU over the hidden size; the reference takes two thirds of it
    and rounds up to 256, the lattice and the palette take it as it is.
    tasks: how many tasks are known, each in `task_variants` augmentations that the input `task`
    counts through; `task_rows`: whether each of these has an embedding of its own, or a task has
    one and each augmentation another, which are added. `lenses`: ways in which a palette's task
    reads its question at other places (`model.lenses`); `colour_maps`: ways in which it says which
    colour stands for which (`model.colour_maps`). `unit_attention`: numbers of a lattice pair's
    query, key and value (`model.unit_attention`); 0: it hears means alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: Cell
    hidden_size: int = Field(gt=0)
    blocks: int = Field(default=2, gt=0)
    latent_recursions: int = Field(default=6, gt=0)
    deep_recursions: int = Field(default=3, gt=0)
    expansion: float = Field(default=4.0, gt=0)
    heads: int = Field(default=8, gt=0)
    position: Position = "none"
    prefix_len: int = Field(default=0, ge=0)
    tasks: int = Field(default=0, ge=0)
    task_variants: int = Field(default=1, gt=0)
    task_rows: Literal["variant", "task"] = "variant"
    lenses: int = Field(default=0, ge=0)
    colour_maps: int = Field(default=0, ge=0)
    unit_attention: int = Field(default=0, ge=0)
    halt_from: Literal["mean", "first"] = "mean"  # what q reads: all of y, or its first position

    @model_validator(mode="after")
    def _consistent(self) -> "ModelConfig":
        if self.cell == "attention" and self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is no multiple of heads {self.heads}")
        if self.cell == "palette" and (self.prefix_len or self.position != "none"):
            raise ValueError("a palette has no prefix and no positions: it sees along lines")
        if self.cell != "attention" and self.position == "rope":
            raise ValueError(f"position 'rope' belongs to attention, not to cell {self.cell!r}")
        if self.cell == "lattice" and (self.prefix_len or self.position != "none" or self.tasks):
            raise ValueError("a lattice has no prefix, positions or tasks: it is equivariant")
        if (self.lenses or self.colour_maps) and self.cell != "palette":
            key = "lenses" if self.lenses else "colour_maps"
            raise ValueError(f"{key} belong to the palette, not to cell {self.cell!r}")
        if self.unit_attention and self.cell != "lattice":
            raise ValueError(f"unit_attention belongs to the lattice, not to cell {self.cell!r}")
        if self.tasks and self.cell != "palette" and not self.prefix_len:
            raise ValueError("task embeddings stand in the prefix: prefix_len must be at least 1")
        return self

    @property
    def fits_every_size(self) -> bool:
        """Whether puzzles of all sizes have the same weights, those trained on and others."""
        return self.cell in ("lattice", "palette")

    @property
    def table_rows(self) -> int:
        """Rows of the task table."""
        return self.tasks * (self.task_variants if self.task_rows == "variant" else 1)
