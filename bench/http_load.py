"""Load from outside: Debian's wrk for closed loops, and what it says."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import BenchError

# Every connection sends the next body in the list when its last request is answered.
SCRIPT = """
local bodies = {BODIES}
local at = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  at = at % #bodies + 1
  return wrk.format(nil, "PATH", nil, bodies[at])
end
function done(summary, latency, requests)
  io.write(string.format(
    'WRK {"requests": %d, "microseconds": %d, "bad_status": %d, "broken": %d, ' ..
    '"p50": %f, "p95": %f, "p99": %f}\\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
"""
TIMEOUT_S = 60


@dataclass(frozen=True)
class Closed:
    """What a closed loop saw. bad: answers of other statuses than 2xx, or none."""

    requests: int
    seconds: float
    bad: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests that were answered well, in a second."""
        return (self.requests - self.bad) / self.seconds


def need_wrk() -> str:
    """The load generator. Raises: BenchError if it is not installed."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchError("wrk is not installed; it is in Debian's package of that name")
    return found


def write_script(path: Path, target: str, bodies: Sequence[bytes]) -> None:
    """A script for wrk that posts these JSON bodies to a path, one after the other."""
    # JSON's strings are Lua's too, but for \\u and \\/, which these bodies do not have.
    listed = ",\n".join(json.dumps(body.decode()) for body in bodies)
    path.write_text(SCRIPT.replace("BODIES", listed).replace("PATH", target))


def closed_loop(url: str, script: Path, *, connections: int, seconds: float) -> Closed:
    """So many connections for so long. Raises: BenchError if wrk fails."""
    command = [
        *(need_wrk(), "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{max(1, round(seconds))}s", "--timeout", f"{TIMEOUT_S}s"),
        *("--script", str(script), url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BenchError(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    return parse(done.stdout)


def parse(said: str) -> Closed:
    """What the script's last line says. Raises: BenchError if it is not there."""
    found = re.search(r"^WRK (\{.*\})$", said, re.MULTILINE)
    if found is None:
        raise BenchError(f"wrk said nothing of its requests: {said.strip()[:200]}")
    figures = json.loads(found[1])
    return Closed(
        requests=figures["requests"],
        seconds=figures["microseconds"] / 1e6,
        bad=figures["bad_status"] + figures["broken"],
        p50_ms=figures["p50"] / 1000,
        p95_ms=figures["p95"] / 1000,
        p99_ms=figures["p99"] / 1000,
    )
