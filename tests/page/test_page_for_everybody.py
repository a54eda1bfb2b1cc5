"""The page for who sees it small, dark, by ear, without a network: and nothing else gets in."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.watching import FOUR, Watched, load, solve, until

# Texts that are seen, and how much they stand out; backgrounds are opaque or inherited.
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const [, , , alpha = 1] = channels(colour);
      if (alpha > 0.99) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest('.unseen'))
      continue;
    const style = getComputedStyle(element);
    if (style.fontSize === '0px') continue;
    const [a, b] = [luminance(style.color), luminance(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${walk.currentNode.data.trim()} ${ratio.toFixed(2)}`);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(page: Page, scheme: str) -> None:
    if scheme == "dark":
        page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(CONTRASTS) == []
    load(page, "8..........36......7..9.2...5...7.......457.....1...3...1....68..85...1..9....4..")
    solve(page)
    page.get_by_role("button", name="First step").click()
    assert page.evaluate(CONTRASTS) == []
    page.get_by_role("tab", name="ARC").click()
    expect(page.get_by_label("A known task")).not_to_have_value("")
    assert page.evaluate(CONTRASTS) == []


def test_the_theme_is_the_systems_until_one_is_chosen(page: Page) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    toggle = page.get_by_role("button", name="Dark theme")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    dark = page.evaluate(colour)
    assert dark != light
    page.reload()
    page.wait_for_selector("html[data-loaded]")
    assert page.evaluate(colour) == dark
    expect(toggle).to_have_attribute("aria-pressed", "true")


def test_a_dark_system_gets_a_dark_page(browser: Browser, server: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(server)
    expect(page.get_by_role("button", name="Dark theme")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 23)"
    context.close()


@pytest.mark.parametrize("size", ["4×4", "9×9", "16×16"])
def test_a_phone_needs_no_scrolling_sideways(page: Page, size: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_text(size).click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("button", name="2", exact=True).click()
    expect(page.locator("#board [role=gridcell]").first).to_have_text("2")


def test_nothing_of_a_finished_run_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    load(page, FOUR)
    solve(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("tab", name="ARC").click()
    expect(page.get_by_label("A known task")).not_to_have_value("")
    page.get_by_role("button", name="Edit question 1").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_everything_has_a_role_and_a_name(page: Page) -> None:
    load(page, FOUR)
    solve(page)
    grid = page.get_by_role("grid", name="Sudoku, 4 by 4")
    assert grid.get_by_role("row").count() == 4
    assert grid.get_by_role("gridcell").count() == 16
    first = grid.get_by_role("gridcell", name="row 1, column 1: 3, given")
    expect(first).to_be_visible()
    for role, name in (
        ("tab", "Sudoku"),
        ("group", "Size"),
        ("group", "Effort"),
        ("group", "Time line"),
        ("slider", "Supervision step"),
        ("button", "Play"),
        ("region", "Result"),
        ("region", "The step that is shown"),
        ("region", "Engine"),
    ):
        expect(page.get_by_role(role, name=name).first).to_be_visible()
    unnamed = (
        "[...document.querySelectorAll('button, input, select, textarea, a, canvas')]"
        ".filter((one) => one.checkVisibility() && !one.labels?.length && !one.textContent.trim()"
        " && !one.getAttribute('aria-label')).map((one) => one.outerHTML)"
    )
    assert page.evaluate(unnamed) == []


def test_the_start_and_the_result_are_said_aloud_and_steps_are_not(page: Page) -> None:
    page.evaluate(
        "() => { window.said = [];"
        "const told = (list) => list.forEach((one) => one.addedNodes"
        ".forEach((node) => window.said.push(node.data)));"
        "const region = document.querySelector('#announcements');"
        "new MutationObserver(told).observe(region, {childList: true}); }"
    )
    load(page, FOUR)
    solve(page)
    said = page.evaluate("window.said")
    assert said[0] == "Solving has started."
    assert said[-1].startswith("Solved, verified by the rules.")
    assert len(said) == 2


def test_focus_is_seen_wherever_it_is(page: Page) -> None:
    page.locator("body").press("Tab")
    for _ in range(24):
        outlined = (
            "(() => { const one = document.activeElement; const look = getComputedStyle("
            "one.matches('.segment input') ? one.nextElementSibling : one);"
            "return look.outlineStyle !== 'none' && parseFloat(look.outlineWidth) >= 2; })()"
        )
        assert page.evaluate(outlined), page.evaluate("document.activeElement.outerHTML")
        page.keyboard.press("Tab")


def test_the_engine_panel_moves(page: Page) -> None:
    row = page.locator("#lanes tr[data-puzzle='sudoku-4x4']")
    expect(row).to_be_visible()
    solved = row.locator("[data-part=solved]")
    before = int(solved.inner_text())
    load(page, FOUR)
    solve(page)
    expect(solved).to_have_text(str(before + 1))
    expect(row.get_by_role("meter", name="slots in use")).to_have_attribute("aria-valuemax", "8")
    until(
        page,
        "[...document.querySelectorAll('#lanes [data-part=steps]')]"
        ".every((one) => /^[\\d.,]+$/.test(one.textContent))",
    )
    expect(page.locator("#state")).to_have_text("ready")


def test_scripts_and_styles_of_others_do_not_run(page: Page, watched: Watched) -> None:
    tried = page.evaluate(
        "() => { const script = document.createElement('script');"
        "script.textContent = 'window.in = 1';"
        "document.body.append(script); document.body.setAttribute('style', 'color: red');"
        "return [window.in ?? null, document.body.style.color]; }"
    )
    assert tried == [None, ""]
    assert len(watched.policy_breaks()) == 2


def test_the_documentation_of_the_api_needs_nobody_else(watched: Watched) -> None:
    watched.page.goto("/docs")
    expect(watched.page.get_by_text("/v1/solve/batch", exact=True)).to_be_visible()
