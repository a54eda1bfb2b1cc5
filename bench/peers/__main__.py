"""`python -m bench.peers NAME …` serves one of them on 127.0.0.1 until it is killed."""

import argparse
from pathlib import Path

import litserve
import uvicorn

from bench.peers.servers import Given, SolveApi, create_plain_app

HOST = "127.0.0.1"
ANSWER_S = 120  # LitServe's limit for an answer; every request of a load is to get one
LITSERVE = {"litserve-fixed": False, "litserve-halted": True}  # whether batches stop early


def main() -> None:
    """Serve one peer."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers")
    parser.add_argument("name", choices=[*LITSERVE, "fastapi"])
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--puzzle", required=True)
    parser.add_argument("--runtime", required=True)
    for name in ("--threads", "--slots", "--max-steps", "--port"):
        parser.add_argument(name, type=int, required=True)
    asked = vars(parser.parse_args())
    name, port = asked.pop("name"), asked.pop("port")
    given = Given(**asked, stops_early=LITSERVE.get(name, True))
    if name == "fastapi":
        uvicorn.run(create_plain_app(given), host=HOST, port=port, log_level="error")
    else:
        server = litserve.LitServer(SolveApi(given), accelerator="cpu", timeout=ANSWER_S)
        server.run(host=HOST, port=port, log_level="error", generate_client_file=False)


if __name__ == "__main__":
    main()
