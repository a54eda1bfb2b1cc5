"""ARC on the page: tasks that are known, pasted and drawn, the vote, what cannot be verified."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.watching import Watched

PUBLISHED = {
    "train": [
        {"input": [[0, 0, 0], [0, 1, 0], [5, 5, 5]], "output": [[0, 0, 0], [0, 0, 0], [5, 1, 5]]}
    ],
    "test": [{"input": [[1, 2]], "output": [[2, 1]]}],
}


@pytest.fixture
def arc(page: Page) -> Page:
    """The tab, with a known task."""
    page.get_by_role("tab", name="ARC").click()
    expect(page.get_by_label("A known task")).to_have_value("3618c87e")
    return page


def test_a_known_task_is_answered_by_a_vote_that_nobody_verifies(arc: Page) -> None:
    assert arc.locator("#pairs > li").count() == 3
    arc.get_by_role("button", name="Ask", exact=True).click()
    expect(arc.get_by_text("First answer", exact=True)).to_be_visible()
    answer = arc.locator("figure.answer canvas").first
    expect(answer).to_have_attribute(
        "aria-label", "First answer, 5 by 5: 00000 00000 00000 00500 55155"
    )
    expect(arc.locator("figure.answer").first).to_contain_text("24 of 24 views, 100 %")
    assert arc.locator(".views li").count() == 24
    expect(arc.get_by_role("region", name="Answers")).to_contain_text("No rule can verify ARC.")


def test_a_question_is_drawn_with_the_keyboard(arc: Page) -> None:
    arc.get_by_role("button", name="Edit question 1").press("Enter")
    grid = arc.get_by_role("grid", name="question 1")
    first = grid.get_by_role("gridcell").first
    expect(first).to_be_focused()
    arc.keyboard.press("3")
    expect(first).to_have_attribute("aria-label", "row 1, column 1: 3 green")
    arc.keyboard.press("ArrowRight")
    arc.get_by_role("radio", name="8 sky").check(force=True)
    grid.get_by_role("gridcell", name="row 1, column 2").click()
    arc.get_by_label("columns").fill("2")
    arc.get_by_label("columns").press("Tab")
    assert grid.get_by_role("gridcell").count() == 10
    arc.get_by_role("button", name="Done").click()
    expect(arc.get_by_role("button", name="Edit question 1, 5 by 2")).to_be_focused()
    expect(arc.locator("#questions canvas")).to_have_attribute(
        "aria-label", "question 1, 5 by 2: 38 00 00 00 55"
    )


def test_a_pasted_task_that_nobody_knows_can_be_handed_in(arc: Page, watched: Watched) -> None:
    watched.refusals = 1
    arc.get_by_text("Paste a task").click()
    arc.locator("#task-text").fill(json.dumps(PUBLISHED))
    arc.get_by_role("button", name="Use this task").click()
    assert arc.locator("#pairs > li").count() == 1
    arc.get_by_role("button", name="Ask", exact=True).click()
    expect(arc.locator("#arc-notice")).to_contain_text("Nobody here knows this task")
    expect(arc.get_by_role("button", name="Hand it in")).to_be_visible()


def test_how_far_a_task_is_learnt_is_shown(arc: Page) -> None:
    states = iter(("adapting", "adapting", "ready"))

    handed_in: list[Any] = []

    def told(route: Route) -> None:
        if route.request.method == "POST":
            handed_in.append(route.request.post_data_json)
        state = next(states)
        progress = {"phase": "held_out", "seconds": 1, "seconds_left": 3, "held_out_accuracy": 0.5}
        task = {"id": "task_1", "name": None, "state": state, "progress": progress}
        route.fulfill(status=202, json=task)

    arc.route("**/v1/tasks", lambda r: told(r) if r.request.method == "POST" else r.continue_())
    arc.route("**/v1/tasks/task_1", told)
    arc.get_by_text("Have a new task learnt").click()
    arc.get_by_role("button", name="Hand it in").click()
    progress = arc.locator("#learn-progress")
    expect(progress).to_contain_text("one demonstration held out")
    expect(progress).to_contain_text("50 %")
    expect(arc.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "25")
    expect(progress).to_contain_text("task_1 is learnt")
    expect(arc.get_by_label("A known task")).to_have_value("task_1")
    [body] = handed_in
    assert (body["minutes"], body["side"]) == (5, 5)
    assert sorted(body) == ["minutes", "side", "train"]


def test_colours_have_numbers_for_who_wants_them(arc: Page) -> None:
    look = "document.querySelector('#pairs canvas').toDataURL()"
    plain = arc.evaluate(look)
    arc.get_by_label("numbers").check()
    assert arc.evaluate(look) != plain


def test_a_server_without_arc_says_how_to_have_it(watched: Watched) -> None:
    def sudoku_alone(route: Route) -> None:
        models = route.fetch().json()["models"]
        route.fulfill(json={"models": [one for one in models if "sudoku" in one["name"]]})

    watched.page.route("**/v1/models", sudoku_alone)
    watched.page.goto("/#arc")
    expect(watched.page.get_by_text("No ARC bundle is served here")).to_be_visible()
    expect(watched.page.locator("#arc-absent code")).to_have_text(
        "ponder serve --bundle bundles/sudoku --bundle bundles/arc-small"
    )
