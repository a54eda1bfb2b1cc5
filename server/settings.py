"""Settings of the server, and by them its flags: `--queue-limit 9` or `PONDER_QUEUE_LIMIT=9`."""

import re
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, CliSuppress, NoDecode, SettingsConfigDict

from export.manifest import Effort

Device = Literal["cpu", "cuda"]
Runtime = Literal["auto", "compiled", "onnxruntime"]
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:.]+\](:[0-9]+)?")
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["text", "json"]

SHIPPED_BUNDLES = (Path("bundles/sudoku"), Path("bundles/arc-small"))


def _split(value: object) -> object:
    """Several values in one text stand between commas; a flag that is repeated comes like that."""
    return value.split(",") if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Serve bundles over HTTP. Every option may also be given as PONDER_... in the environment."""

    model_config = SettingsConfigDict(env_prefix="PONDER_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: any free one")
    auth: Literal["auto", "off", "on"] = Field(
        "auto",
        description="ask for API keys; auto: where keys are configured, or others reach the server",
    )
    api_key_file: Path | None = Field(
        None, description="keys, one a line: NAME ROLE KEY, as `ponder keys new` prints it"
    )
    api_keys: CliSuppress[SecretStr | None] = Field(
        None, description="the same, between commas; only as PONDER_API_KEYS"
    )
    metrics_public: bool = Field(False, description="answer /metrics without a key")
    rate_limit: float | None = Field(
        None, gt=0, description="puzzles a second of one key, or of one address without keys"
    )
    rate_burst: float | None = Field(
        None, ge=1, description="puzzles of one key at once; unset: batch_limit, or a second's"
    )
    cors_origins: Names = Field(
        (), description="web pages that may ask, as https://a.example, between commas"
    )
    allowed_hosts: Names = Field(
        (), description="names that the server is called by, between commas; unset: see security.md"
    )
    forwarded_allow_ips: Names = Field(
        (), description="proxies whose X-Forwarded-For is believed, between commas"
    )
    connections_limit: int | None = Field(
        None, ge=1, description="connections at once; unset: as many as files may be open"
    )
    bundles: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split)] = Field(
        SHIPPED_BUNDLES, min_length=1, description="bundle directories, between commas"
    )
    device: Device = Field("cpu", description="where the step graphs run")
    threads: int | None = Field(
        None, ge=1, description="threads of a supervision step on the CPU; unset: one per core"
    )
    runtime: Runtime = Field(
        "auto", description="what runs steps on the CPU; auto: compiled code where a bundle allows"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of compiled code; auto: bfloat16 where the CPU multiplies it"
    )
    buckets: Annotated[tuple[int, ...], NoDecode, BeforeValidator(_split)] = Field(
        (), description="rows to which onnxruntime's steps are padded, between commas"
    )
    cuda_graphs: bool = Field(
        False, description="record each bucket's step as a CUDA graph and play it back"
    )
    slots: int | None = Field(
        None, ge=1, description="rows of a supervision step, per puzzle size; unset: measured"
    )
    parallel_attempts: int | None = Field(
        None,
        ge=1,
        description="later attempts that a puzzle makes at once while nobody waits; unset: as many "
        "as take no longer than one, measured with the slots, or 1 where these are given",
    )
    queue_limit: int = Field(
        1024, ge=1, description="puzzles that may wait for a slot, per puzzle size"
    )
    batch_limit: int = Field(256, ge=1, description="items of one batch")
    batches: bool = Field(True, description="take batches: files of puzzles, kept on disk")
    batch_dir: Path = Field(
        Path("data/batches"), description="where batches are kept; for one server alone"
    )
    batch_bytes: int = Field(
        256 * 1024 * 1024, ge=1, description="size of a batch's upload, unpacked"
    )
    batch_lines_limit: int = Field(1_000_000, ge=1, description="lines of a batch, empty ones too")
    batch_days: float = Field(7.0, gt=0, description="days that a batch is kept once it has ended")
    batch_lines_in_flight: int = Field(
        1024, ge=1, description="lines of all batches that wait or work at once"
    )
    adapt: bool = Field(
        True, description="learn ARC tasks that no bundle knows, and serve those learnt before"
    )
    task_dir: Path = Field(
        Path("data/tasks"), description="where tasks that are handed in are kept; for one server"
    )
    tasks_loaded: int = Field(
        16, ge=1, description="learnt tasks in memory; the least recently used leave it first"
    )
    adapt_minutes: float = Field(
        5.0, gt=0, description="time to learn a task, where a request does not say"
    )
    adapt_minutes_limit: float = Field(60.0, gt=0, description="most minutes of any request")
    adapt_tries: int = Field(
        2, ge=1, description="how often a task is learnt while there is time, and votes"
    )
    adapt_queue_limit: int = Field(64, ge=1, description="tasks that may wait to be learnt")
    adapt_device: str = Field("cpu", description="where tasks are learnt: cpu, cuda or cuda:N")
    adapt_threads: int | None = Field(
        None, ge=1, description="CPU threads of learning; unset: one less than there are cores"
    )
    body_limit_bytes: int = Field(2 * 1024 * 1024, ge=1, description="size of a request's body")
    receive_seconds: float = Field(
        10.0, gt=0, description="time that a client may take to send a request"
    )
    effort: Effort = Field(
        "standard", description="what a puzzle may cost, where a request does not say"
    )
    max_steps: int | None = Field(
        None, ge=1, description="supervision steps per attempt, in place of this effort's"
    )
    attempts: int | None = Field(None, ge=1, description="attempts, in place of this effort's")
    max_steps_limit: int = Field(1024, ge=1, description="most max_steps of any request")
    attempts_limit: int = Field(2048, ge=1, description="most attempts of any request")
    drain_seconds: float = Field(
        30.0, gt=0, description="time that accepted puzzles have when the server is stopped"
    )
    log_level: LogLevel = Field("info", description="what is worth a line in the log")
    log_format: LogFormat = Field("text", description="lines for people, or JSON for machines")
    access_log: bool = Field(False, description="a line in the log for every request, at info")
    otlp_endpoint: HttpUrl | None = Field(
        None, description="collector that traces go to, as http://127.0.0.1:4318; unset: none"
    )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not as https://a.example; nor is there a wildcard")
        return origins

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _proxies(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)  # ValueError
        return proxies

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        minutes, minutes_limit = self.adapt_minutes, self.adapt_minutes_limit
        for name, value, limit_name, limit in (
            ("adapt_minutes", minutes, "adapt_minutes_limit", minutes_limit),
            ("batch_limit", self.batch_limit, "queue_limit", self.queue_limit),
            ("max_steps", self.max_steps, "max_steps_limit", self.max_steps_limit),
            ("attempts", self.attempts, "attempts_limit", self.attempts_limit),
        ):
            if value is not None and value > limit:
                raise ValueError(f"{name} {value} is above {limit_name} {limit}")
        if self.cuda_graphs and (self.device != "cuda" or not self.buckets):
            raise ValueError("cuda_graphs needs device cuda, and buckets")
        if self.runtime == "compiled" and self.device != "cpu":
            raise ValueError(f"runtime compiled is for the CPU, not for {self.device}")
        return self


class KeysOnCommandLineError(Exception):
    """Keys where everybody on the machine can read them."""

    def __init__(self) -> None:
        super().__init__("--api-keys: a command line is no secret; use PONDER_API_KEYS, or a file")


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings from flags, then the environment, then defaults.

    `--help` and flags that do not exist end the process, as argparse does.
    Raises: pydantic.ValidationError, KeysOnCommandLineError.
    """
    if any(one.replace("_", "-").split("=")[0] == "--api-keys" for one in arguments):
        raise KeysOnCommandLineError
    return Settings(
        _cli_parse_args=list(arguments),
        _cli_prog_name="ponder serve",
        _cli_kebab_case=True,
        _cli_shortcuts={"bundles": "bundle"},
    )


def find_bundle(path: Path) -> Path:
    """Where a bundle is: here, or beside the package (a clone seen from another directory)."""
    beside = Path(__file__).resolve().parent.parent / path
    return beside if not path.exists() and beside.exists() else path
