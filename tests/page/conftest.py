"""The page in a real browser, before a real server with the shipped bundles."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.page.watching import Watched

ROOT = Path(__file__).parents[2]
START_S = 120.0
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL. By onnxruntime, which starts faster than the compiled kernel."""
    state = tmp_path_factory.mktemp("page-server")
    log = state / "log"
    places = {"PONDER_BATCH_DIR": str(state / "batches"), "PONDER_TASK_DIR": str(state / "tasks")}
    flags = ["--port", "0", "--threads", "1", "--slots", "8", "--runtime", "onnxruntime"]
    bundles = ["--bundle", "bundles/sudoku", "--bundle", "bundles/arc-small"]
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", *flags, *bundles],
            cwd=ROOT,
            stderr=written,  # not a pipe, which nobody would empty
            env=os.environ | places,
        )
    try:
        yield _url(process, log)
    finally:
        process.kill()
        process.wait()


def _url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s and process.poll() is None:
        if found := re.search(r"http://[\d.:]+", log.read_text()):
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"the server does not serve: {log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: Playwright's event loop, while it runs, would be in other tests' way."""
    if CHROMIUM is None:
        pytest.skip("LOUD SKIP: the page is not tested, as there is no chromium")
    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def window(browser: Browser, server: str) -> Iterator[Page]:
    """One page for all tests of a module, as a new one takes a while.

    Without fading and playing, which would only take time.
    """
    context = browser.new_context(
        reduced_motion="reduce", color_scheme="light", viewport=DESKTOP, base_url=server
    )
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def watched(window: Page, server: str) -> Iterator[Watched]:
    """The page as if it had never been open, not loaded; its faults fail the test at its end."""
    window.goto("about:blank")
    window.set_viewport_size(DESKTOP)
    seen = Watched(window, server)
    yield seen
    seen.close()
    window.unroute_all()
    window.evaluate("() => { sessionStorage.clear(); localStorage.clear(); }")
    seen.check()


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page, loaded."""
    watched.page.goto("/")
    watched.page.wait_for_selector("html[data-loaded]")
    return watched.page
