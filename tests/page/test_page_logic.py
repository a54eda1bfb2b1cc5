"""The page's own logic, module by module, in the browser that runs it."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.page.watching import FOUR

EASY = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
ROWS = "\n".join(EASY[i : i + 9] for i in range(0, 81, 9))


@pytest.fixture(scope="module")
def blank(browser: Any, server: str) -> Any:
    """A page that nothing happens on."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(server)
    yield page
    context.close()


def run(page: Page, module: str, body: str, argument: Any = None) -> Any:
    """What a function with `m`, a module of the page, and `x` returns, or the message it throws."""
    return page.evaluate(
        f"async (x) => {{ const m = await import('/page/{module}.js');"
        f"try {{ {body} }} catch (error) {{ return String(error.message); }} }}",
        argument,
    )


@pytest.mark.parametrize(
    "text",
    [
        EASY,
        EASY.replace(".", "0"),
        EASY.replace(".", "_"),
        ROWS,
        ROWS.replace("\n", "\r\n  "),
        "\n".join(" ".join(row) for row in ROWS.split()),
        "\n".join("| " + " | ".join(row) + " |" for row in ROWS.split()),
        "\n------+-------+------\n".join(ROWS.split()),
        str([[int(c) for c in row.replace(".", "0")] for row in ROWS.split()]),
    ],
    ids=["line", "zeros", "underscores", "rows", "indented", "blanks", "bars", "rulers", "json"],
)
def test_a_puzzle_is_read_however_it_is_written(blank: Page, text: str) -> None:
    assert run(blank, "sudoku_rules", "return m.toLine(m.parsePuzzle(x).cells)", text) == EASY


def test_large_puzzles_are_read_as_numbers_and_as_letters(blank: Page) -> None:
    row = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 0"
    numbers = "\n".join([row] + ["0 " * 15 + "16"] + ["0 " * 16] * 14)
    line = "123456789ABCDEF." + "." * 15 + "G" + "." * 224
    for text in (numbers, line, line.lower()):
        assert run(blank, "sudoku_rules", "return m.toLine(m.parsePuzzle(x).cells)", text) == line


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "There is nothing in it."),
        ("12", "2 characters; a puzzle has 16, 36, 81, 256 or 625."),
        (FOUR.replace("4", "x"), "“x” in row 4, column 4 is not one of 1–4 or . for empty."),
        ("1...\n....\n...\n....", "Row 3 has 3 characters, expected 4."),
        ("[[1,2],[3]]", "Sizes are 4, 6, 9, 16 and 25: row 2 has 1 cells of 2 rows."),
        ("[1,", "It begins like JSON, but is none"),
        ("[[1.5,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,0]]", "“1.5” in row 1, column 1 is not one of"),
    ],
)
def test_what_is_no_puzzle_is_told_why(blank: Page, text: str, why: str) -> None:
    assert run(blank, "sudoku_rules", "m.parsePuzzle(x); return 'read'", text).startswith(why)


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        (FOUR, []),
        ("33..............", [0, 1]),
        ("3.......3.......", [0, 8]),
        ("3....3..........", [0, 5]),
        ("3.........3.....", []),
    ],
    ids=["none", "row", "column", "box", "apart"],
)
def test_clashes_are_found_in_rows_columns_and_boxes(
    blank: Page, line: str, cells: list[int]
) -> None:
    found = "const {layout, cells} = m.parsePuzzle(x); return [...m.clashes(layout, cells)].sort()"
    assert run(blank, "sudoku_rules", found, line) == cells


def test_boxes_of_six_by_six_are_two_rows_by_three_columns(blank: Page) -> None:
    found = "const {layout, cells} = m.parsePuzzle(x); return m.clashes(layout, cells).size"
    same_box, other_box = "1......." + "1" + "." * 27, "1" + "." * 11 + "..1" + "." * 21
    assert run(blank, "sudoku_rules", found, same_box) == 2
    assert run(blank, "sudoku_rules", found, other_box) == 0


def test_events_are_read_from_pieces_cut_anywhere(blank: Page) -> None:
    text = 'event: a\r\ndata: {"x": 1}\r\n\r\n: keep-alive\n\nevent: b\ndata: {"y":\ndata: 2}\n\n'
    body = (
        "const all = []; const parser = new m.EventParser();"
        "for (const one of x) all.push(...parser.push(one)); return all"
    )
    assert run(blank, "event_stream", body, text) == [
        {"event": "a", "data": {"x": 1}},
        {"event": "b", "data": {"y": 2}},
    ]


def record(page: Page, attempts: int, steps: int, limit: int) -> Any:
    body = (
        "const r = new m.Recording(x.limit); let most = 0;"
        "for (let a = 1, n = 1; a <= x.attempts; a += 1) for (let s = 1; s <= x.steps; s += 1) {"
        "r.add({step: n++, attempt: a, attemptStep: s}); most = Math.max(most, r.length); }"
        "return {most, kept: r.steps.map((one) => [one.step, one.attempt, one.attemptStep]),"
        "seen: r.seen, starts: r.attemptStarts().length, place: r.indexOf(x.steps + 1)}"
    )
    return run(page, "recording", body, {"attempts": attempts, "steps": steps, "limit": limit})


def test_a_short_run_is_kept_whole(blank: Page) -> None:
    found = record(blank, attempts=3, steps=4, limit=100)
    assert [step for step, _, _ in found["kept"]] == list(range(1, 13))
    assert (found["starts"], found["place"]) == (3, 4)


def test_a_long_run_keeps_the_beginnings_of_attempts_and_its_end(blank: Page) -> None:
    found = record(blank, attempts=50, steps=16, limit=200)
    assert found["most"] <= 200
    assert (found["seen"], found["starts"]) == (800, 50)
    assert found["kept"][-1] == [800, 50, 16]
    kept = [step for step, _, _ in found["kept"]]
    assert kept == sorted(set(kept))


def test_more_attempts_than_are_kept_are_thinned_too(blank: Page) -> None:
    found = record(blank, attempts=3000, steps=2, limit=100)
    assert found["most"] <= 100
    assert found["kept"][0] == [1, 1, 1]
    assert found["kept"][-1] == [6000, 3000, 2]


def test_a_curve_keeps_its_peaks(blank: Page) -> None:
    body = (
        "const values = Array.from({length: 9000}, (_, i) => (i === 4321 ? 1 : 0.1));"
        "const points = m.thinned(values); return [points.length, points.find((p) => p[1] === 1)]"
    )
    length, peak = run(blank, "chart", body)
    assert length <= 1200
    assert peak == [4321, 1]


def test_of_several_models_the_default_comes_first(blank: Page) -> None:
    models = [
        {"name": name, "puzzles": ["sudoku-9x9"], "efforts": {"sudoku-9x9": {"low": name}}}
        for name in ("a", "b")
    ]
    body = "return [...m.servedSizes(x, {'sudoku-9x9': 'b'})]"
    assert run(blank, "served", body, models) == [
        [9, [{"name": "b", "efforts": {"low": "b"}}, {"name": "a", "efforts": {"low": "a"}}]]
    ]


def test_rates_are_differences_of_the_servers_own_clock(blank: Page) -> None:
    looks = [
        {"at": at, "engine": {"lanes": [{"puzzle": "p", "model": "m", "a": a, "b": 1}]}}
        for at, a in ((10.0, 5), (12.0, 25))
    ]
    assert run(blank, "engine", "return m.rate(x, 'p', 'm', ['a', 'b'])", looks) == 10
    assert run(blank, "engine", "return m.rate(x, 'other', 'm', ['a'])", looks) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "This is not JSON"),
        ("{}", "Expected an object with `train`"),
        ('{"train": [{"input": [[1]]}]}', "train[0].output: expected rows of colours."),
        (
            '{"train": [{"input": [[10]], "output": [[1]]}]}',
            "train[0].input: 10 in row 1, column 1",
        ),
        ('{"train": [{"input": [[1, 2], [3]], "output": [[1]]}]}', "train[0].input: row 2 has 1"),
    ],
)
def test_what_is_no_task_is_told_where(blank: Page, text: str, why: str) -> None:
    assert run(blank, "arc_task", "m.parseTask(x); return 'read'", text).startswith(why)


def test_views_that_agree_are_one_party_and_the_largest_comes_first(blank: Page) -> None:
    views = [{"grid": [[1]]}, {"grid": [[2]]}, None, {"grid": [[2]]}, {"grid": None}]
    assert run(blank, "arc_votes", "return m.parties(x)", views) == [
        {"grid": [[2]], "views": [1, 3]},
        {"grid": [[1]], "views": [0]},
    ]
