"""Settings of the server: `PONDER_*` in the environment, or flags of `ponder serve`."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Device = Literal["cpu", "cuda"]
LogLevel = Literal["debug", "info", "warning", "error"]

SHIPPED_BUNDLE = Path("bundles/sudoku")


def _split_paths(value: object) -> object:
    """Environment variables hold several paths like PATH does."""
    return value.split(os.pathsep) if isinstance(value, str) else value


class Settings(BaseSettings):
    """Everything that can be set. Sizes in bytes, times in seconds."""

    model_config = SettingsConfigDict(env_prefix="PONDER_", frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)  # 0 = any free port
    bundles: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split_paths)] = Field(
        (SHIPPED_BUNDLE,), min_length=1
    )
    device: Device = "cpu"
    threads: int | None = Field(None, ge=1)  # of onnxruntime; None = one per core
    slots: int = Field(64, ge=1)  # rows of one supervision step, per puzzle size
    queue_limit: int = Field(1024, ge=1)  # puzzles waiting for a slot, per puzzle size
    batch_limit: int = Field(256, ge=1)  # items of one batch request
    body_limit_bytes: int = Field(2 * 1024 * 1024, ge=1)
    max_steps: int = Field(64, ge=1)  # supervision steps per attempt, where a request is silent
    attempts: int = Field(16, ge=1)
    max_steps_limit: int = Field(1024, ge=1)  # what a request may ask for
    attempts_limit: int = Field(256, ge=1)
    drain_seconds: float = Field(30.0, gt=0)
    log_level: LogLevel = "info"

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        for value, limit in (
            ("batch_limit", "queue_limit"),
            ("max_steps", "max_steps_limit"),
            ("attempts", "attempts_limit"),
        ):
            if getattr(self, value) > getattr(self, limit):
                raise ValueError(
                    f"{value} {getattr(self, value)} is above {limit} {getattr(self, limit)}"
                )
        return self


def find_bundle(path: Path) -> Path:
    """Where a bundle is: here, or beside the package (a clone, an image with its own directory)."""
    beside = Path(__file__).resolve().parent.parent / path
    return beside if not path.exists() and beside.exists() else path
