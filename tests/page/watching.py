"""What every test of the page watches for, and small ways to wait for it."""

import time
from typing import Any, final

from playwright.sync_api import ConsoleMessage, Page, Request, Route, expect

TIMEOUT_S = 30.0
SOLVE = "**/v1/solve"

# Neither has a clash, the second has no answer either.
FOUR, NO_ANSWER = "3.1.......3....4", "12........3...4."
FOUR_SOLUTION = "3412214342311324"
INKALA = "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4.."


@final
class Watched:
    """A page, what it said on its console, and whom it asked."""

    def __init__(self, page: Page, server: str) -> None:
        self.page = page
        self.refusals = 0  # answers of the server that are errors, and that a test asks for
        self._server = server
        self._faults: list[str] = []
        self._refused: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", self._failed)
        page.on("request", self._asked)

    def close(self) -> None:
        """Watch no longer."""
        self.page.remove_listener("console", self._said)
        self.page.remove_listener("pageerror", self._failed)
        self.page.remove_listener("request", self._asked)

    def check(self) -> None:
        """No fault, nobody else asked, and no more refused than was meant to be."""
        assert self._faults == []
        assert len(self._refused) == self.refusals, self._refused

    def policy_breaks(self) -> list[str]:
        """What the content security policy refused; taken, so that it is no fault any more."""
        broken = [fault for fault in self._faults if "Content Security Policy" in fault]
        self._faults = [fault for fault in self._faults if fault not in broken]
        return broken

    def _said(self, message: ConsoleMessage) -> None:
        kind, text = message.type, message.text
        if kind == "error" and text.startswith("Failed to load resource"):
            self._refused.append(text)
        elif kind in ("error", "warning"):
            self._faults.append(text)

    def _failed(self, error: Exception) -> None:
        self._faults.append(str(error))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self._server, "data:")):
            self._faults.append(f"asked {request.url}")


def until(page: Page, expression: str) -> None:
    """Wait until some JavaScript is true; the page's policy forbids Playwright's own way."""
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        if page.evaluate(expression):
            return
        time.sleep(0.02)
    raise AssertionError(f"never: {expression}")


def paste(page: Page, text: str) -> None:
    """By the field, as somebody without a keyboard does."""
    page.get_by_text("Paste a puzzle").click()
    page.locator("#paste-text").fill(text)
    page.get_by_role("button", name="Use this puzzle").click()


def load(page: Page, text: str) -> None:
    """Another puzzle on the board."""
    paste(page, text)
    expect(page.locator("#paste-text")).not_to_be_visible()


def solve(page: Page, status: str = "solved") -> None:
    """Press the button and wait for the result, and until the last step is shown."""
    page.get_by_role("button", name="Solve").click()
    page.wait_for_selector(f"#outcome[data-state={status}]")
    page.wait_for_selector(f"#stage[data-outcome={status}]")


def symbols(page: Page) -> str:
    """What the board shows, `.` for empty cells."""
    return str(
        page.evaluate(
            "[...document.querySelectorAll('#board [role=gridcell]')]"
            ".map((cell) => cell.textContent || '.').join('')"
        )
    )


def refuse(page: Page, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
    """Let the next requests to solve be answered like this, as a server under load does."""
    told = {"content-type": "application/problem+json", **headers}

    def answer(route: Route) -> None:
        route.fulfill(status=status, headers=told, json={"status": status, **body})

    page.route(SOLVE, answer)
