"""Load from outside: Debian's wrk for closed loops, our own client at a fixed rate for open ones.

wrk sends when an answer came, so it never asks for more than a server gives. Of the tools that send
at a fixed rate whatever comes back, neither Debian nor PyPI has one that keeps time and leaves the
cores to the server; the client of the reliability trials does.
"""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.reliability.http_client import Tally
from bench.report import BenchError
from bench.solvers import questions_of
from training.evaluation_data import EvaluationData

SINGLE, BATCH = "/v1/solve", "/v1/solve/batch"
PERCENTILES = (50.0, 95.0, 99.0)
TIMEOUT_S = 60
# Every connection sends the next body of the list when its last request is answered.
SCRIPT = """
local bodies = {BODIES}
local at, threads = 0, {}
wrk.method, wrk.path = "POST", "PATH"
wrk.headers["Content-Type"] = "application/json"
statuses = {}
function setup(thread)
  table.insert(threads, thread)
end
function request()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
function response(status)
  local name = tostring(status)
  statuses[name] = (statuses[name] or 0) + 1
end
function done(summary, latency, requests)
  local counts = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      table.insert(counts, string.format('["%s", %d]', status, count))
    end
  end
  local broken = summary.errors
  io.write(string.format(
    'WRK {"microseconds": %d, "broken": %d, "percentiles_us": [%f, %f, %f], "statuses": [%s]}\\n',
    summary.duration, broken.connect + broken.read + broken.write + broken.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    table.concat(counts, ", ")))
end
"""


@dataclass(frozen=True)
class Measurement:
    """What a load saw. statuses: answers by HTTP status, 0 for none; times of all answers."""

    seconds: float
    statuses: Mapping[int, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests answered with 200, in a second."""
        return self.statuses.get(200, 0) / self.seconds

    @property
    def failed(self) -> int:
        """Requests with another answer, or none."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    @classmethod
    def of(cls, tally: Tally, seconds: float) -> "Measurement":
        """Of answers that `seconds` of load brought."""
        return cls(seconds, tally.statuses(), *(tally.latency_ms(at) for at in PERCENTILES))


def need_wrk() -> str:
    """The load generator. Raises: BenchError if it is not installed."""
    found = shutil.which("wrk")
    if found is None:
        raise BenchError("bench http needs wrk, which Debian has: apt-get install wrk")
    return found


def write_script(path: Path, target: str, bodies: Sequence[bytes]) -> None:
    """A script for wrk that posts these JSON bodies to a path, one after the other."""
    # JSON's strings are Lua's too, but for \\u and \\/, which these bodies do not have.
    listed = ",\n".join(json.dumps(body.decode()) for body in bodies)
    path.write_text(SCRIPT.replace("BODIES", listed).replace("PATH", target))


def closed_loop(url: str, script: Path, *, connections: int, seconds: int) -> Measurement:
    """So many connections for so long. Raises: BenchError if wrk fails."""
    command = [
        *(need_wrk(), "--threads", "1", "--connections", str(connections)),
        *("--duration", f"{seconds}s", "--timeout", f"{TIMEOUT_S}s"),
        *("--script", str(script), url),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BenchError(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    return parse(done.stdout)


def parse(said: str) -> Measurement:
    """What the script's last line says. Raises: BenchError if it is not there."""
    found = re.search(r"^WRK (\{.*\})$", said, re.MULTILINE)
    if found is None:
        raise BenchError(f"wrk said nothing of its requests: {said.strip()[:200]}")
    figures = json.loads(found[1])
    statuses = Counter({int(status): count for status, count in figures["statuses"]})
    if figures["broken"]:
        statuses[0] = figures["broken"]
    times = (one / 1000 for one in figures["percentiles_us"])
    return Measurement(figures["microseconds"] / 1e6, statuses, *times)


def request_bodies(data: EvaluationData) -> list[bytes]:
    """A request for every puzzle."""
    kind = data.kind
    return [
        json.dumps({"kind": kind.spec.kind, "grid": kind.format(question)}).encode()
        for question in questions_of(data)
    ]


def batches_of(bodies: Sequence[bytes], size: int) -> list[bytes]:
    """Batch requests of so many puzzles; puzzles are used again where there are too few."""
    batches = max(1, len(bodies) // size)
    items = [bodies[number % len(bodies)] for number in range(batches * size)]
    return [
        b'{"items": [' + b", ".join(items[first : first + size]) + b"]}"
        for first in range(0, len(items), size)
    ]
