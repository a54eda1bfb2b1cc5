"""Sudokus on the page: typed, pasted, solved before one's eyes, stopped, looked at again."""

import re

from playwright.sync_api import Page, Route, expect

from tests.page.watching import (
    FOUR,
    FOUR_SOLUTION,
    INKALA,
    NO_ANSWER,
    SOLVE,
    Watched,
    load,
    paste,
    refuse,
    solve,
    symbols,
    until,
)


def cell(row: int, column: int) -> str:
    return f"#board [role=row]:nth-child({row}) [role=gridcell]:nth-child({column})"


def test_a_typed_puzzle_is_solved_and_the_rules_say_so(page: Page) -> None:
    page.get_by_text("4×4").click()
    page.get_by_role("button", name="Clear", exact=True).click()
    for index, symbol in enumerate(FOUR):
        if symbol != ".":
            page.locator(cell(index // 4 + 1, index % 4 + 1)).click()
            page.keyboard.press(symbol)
    page.keyboard.press("Enter")
    page.wait_for_selector("#outcome[data-state=solved]")
    page.wait_for_selector("#stage[data-outcome=solved]")
    assert symbols(page) == FOUR_SOLUTION
    expect(page.locator("#outcome-detail")).to_have_text("Verified by the rules.")
    expect(page.locator("#result-model")).to_have_text("sudoku-lattice-d32")
    expect(page.locator("#read-verdict")).to_have_text("accepted")


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    load(page, FOUR)
    page.locator("#theme").focus()
    page.keyboard.press("Tab")
    expect(page.locator(cell(1, 1))).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("4")
    assert symbols(page)[1] == "4"
    page.keyboard.press("Backspace")
    assert symbols(page) == FOUR
    page.keyboard.press("ArrowUp")
    expect(page.locator(cell(4, 2))).to_be_focused()
    page.keyboard.press("Control+Home")
    expect(page.locator(cell(1, 1))).to_be_focused()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#stage[data-outcome=solved]")


def test_a_puzzle_is_pasted_onto_the_board(page: Page) -> None:
    page.evaluate(
        "(text) => { const data = new DataTransfer(); data.setData('text/plain', text);"
        "document.body.dispatchEvent(new ClipboardEvent('paste',"
        "{clipboardData: data, bubbles: true, cancelable: true})); }",
        "3 . | 1 .\n. . | . .\n----+----\n. . | 3 .\n. . | . 4",
    )
    assert symbols(page) == FOUR
    expect(page.get_by_role("radio", name="4 by 4")).to_be_checked()


def test_a_malformed_paste_is_told_and_changes_nothing(page: Page) -> None:
    before = symbols(page)
    paste(page, "53..7....\n6..195..\n")
    expect(page.locator("#sudoku-notice")).to_contain_text("17 characters")
    assert symbols(page) == before


def test_clashes_are_marked_as_one_types(page: Page) -> None:
    load(page, FOUR)
    page.locator(cell(1, 2)).click()
    page.keyboard.press("3")
    clashing = page.locator("#board .clashing")
    expect(clashing).to_have_count(2)
    expect(clashing.first).to_have_attribute("aria-invalid", "true")
    expect(clashing.first).to_have_attribute("aria-label", re.compile("breaks the rules"))


def test_cells_that_the_server_refuses_are_marked_with_its_words(
    page: Page, watched: Watched
) -> None:
    watched.refusals = 1
    load(page, "33..............")
    page.get_by_role("button", name="Solve").click()
    expect(page.locator("#sudoku-notice")).to_contain_text("The grid is malformed or contradictory")
    expect(page.locator("#board .blamed").first).to_be_visible()


def test_the_time_line_goes_back_to_any_step(page: Page) -> None:
    load(page, INKALA)
    solve(page)
    last, ended = symbols(page), page.locator("#read-step").inner_text()
    scrub = page.get_by_role("slider", name="Supervision step")
    scrub.focus()
    page.keyboard.press("Home")
    expect(page.locator("#read-step")).to_have_text("1")
    assert symbols(page) != last
    page.keyboard.press("ArrowRight")
    expect(page.locator("#read-step")).to_have_text("2")
    assert page.locator("#board .changed").count() > 0
    expect(scrub).to_have_attribute("aria-valuetext", re.compile("step 2 of"))
    page.get_by_role("button", name="Last step").click()
    expect(page.locator("#read-step")).to_have_text(ended)
    assert symbols(page) == last
    assert page.evaluate("document.querySelector('[data-part=halt]').getAttribute('d').length") > 20


def test_a_run_is_played_from_its_beginning(page: Page) -> None:
    load(page, INKALA)
    solve(page)
    page.get_by_label("speed").select_option("30")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    until(page, "Number(document.querySelector('#read-step').textContent) < 10")
    page.wait_for_selector("#stage[data-outcome=solved]")


def test_guesses_confidence_and_givens_are_told_of_each_cell(page: Page) -> None:
    load(page, INKALA)
    solve(page)
    assert page.locator("#board .given").count() == 81 - INKALA.count(".")
    page.locator(cell(1, 1)).click()
    expect(page.locator("#inspect-cell")).to_have_text("8, given")
    answer = page.locator("#board .cell:not(.given):not(.assumed)").first
    answer.click()
    expect(answer).to_have_attribute("aria-label", re.compile(r"answer, confidence [01]\.\d{4}"))


def test_an_unsolved_puzzle_gets_no_answer(page: Page) -> None:
    page.get_by_text("low", exact=True).click()
    load(page, NO_ANSWER)
    solve(page, "unsolved")
    expect(page.locator("#outcome-detail")).to_have_text(
        "No answer that the rules accept was found."
    )
    expect(page.get_by_role("button", name="Copy solution")).to_be_hidden()


def test_stopping_frees_the_slot(page: Page) -> None:
    page.get_by_role("button", name="Has no answer").click()
    page.get_by_role("button", name="Solve").click()
    until(page, "Number(document.querySelector('#read-step').textContent) > 2")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#outcome-title")).to_have_text("Stopped")
    until(page, "fetch('v1/engine').then((r) => r.json()).then((e) => e.lanes[0].working === 0)")


def test_a_busy_server_says_when_to_come_again(page: Page, watched: Watched) -> None:
    watched.refusals = 1
    refuse(page, 429, {"code": "overloaded", "detail": "1024 wait"}, {"Retry-After": "3"})
    page.get_by_role("button", name="Solve").click()
    notice = page.locator("#sudoku-notice")
    expect(notice).to_contain_text("The server is busy")
    expect(notice).to_contain_text("Try again in 3 seconds.")
    page.unroute(SOLVE)
    notice.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#outcome[data-state=solved]")


def test_a_lost_connection_is_told_and_the_puzzle_kept(page: Page, watched: Watched) -> None:
    watched.refusals = 1
    before = symbols(page)
    page.route(SOLVE, lambda route: route.abort())
    page.get_by_role("button", name="Solve").click()
    expect(page.locator("#sudoku-notice")).to_contain_text("The connection is lost")
    assert symbols(page) == before


def test_a_server_that_wants_a_key_is_given_one(page: Page, watched: Watched) -> None:
    watched.refusals = 2  # without a key, and with a wrong one

    def guard(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer right":
            route.continue_()
        else:
            route.fulfill(status=401, json={"code": "unauthorized", "detail": "no key"})

    page.route(SOLVE, guard)
    load(page, FOUR)
    page.get_by_role("button", name="Solve").click()
    for key in ("wrong", "right"):
        field = page.get_by_label("Key", exact=True)
        expect(field).to_have_value("")
        field.fill(key)
        page.keyboard.press("Enter")
    page.wait_for_selector("#outcome[data-state=solved]")
    assert page.evaluate("sessionStorage.getItem('ponder-key')") == "right"


def test_who_has_no_key_may_come_back_to_it(watched: Watched) -> None:
    watched.refusals = 2
    page = watched.page
    page.route("**/v1/models", lambda route: route.fulfill(status=401, json={"detail": "no key"}))
    page.goto("/")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#load-notice")).to_contain_text("This server wants a key")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#load-notice")).to_contain_text("This server wants a key")


def test_the_curl_command_asks_what_the_page_asks(page: Page, server: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    load(page, FOUR)
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -s {server}/v1/solve ")
    assert f'"grid":"{FOUR}"' in copied


def test_a_model_is_chosen_where_several_serve_a_size(watched: Watched) -> None:
    def twice(route: Route) -> None:
        told = route.fetch().json()
        other = {**told["models"][0], "name": "other"}
        route.fulfill(json={**told, "models": [other, *told["models"]]})

    page = watched.page
    page.route("**/v1/models", twice)
    page.goto("/")
    page.get_by_label("Model").select_option("other")
    with page.expect_request(SOLVE) as asked:
        page.get_by_role("button", name="Solve").click()
    assert asked.value.post_data_json["model"] == "other"
    watched.refusals = 1  # there is none of this name
    expect(page.locator("#sudoku-notice")).to_contain_text("other")
