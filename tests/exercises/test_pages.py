"""The exercises' pages in a real browser: every chart is drawn, nothing is said on the console."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.exercises.conftest import Exercise
from tests.report.conftest import browser, opened
from tests.report.policy import assert_only_what_it_holds

__all__ = ["browser"]

LOOKS = [("en", "light", 1280), ("es", "dark", 390)]


@pytest.mark.parametrize("number", [1, 2, 8, 11])
def test_the_page_is_drawn_and_fits_its_window(number: int, exercise: Exercise, browser: Any) -> None:
    folder = exercise(number)
    for code, scheme, width in LOOKS:
        path = folder / ("report.html" if code == "en" else f"report.{code}.html")
        with opened(browser, path, scheme, width, "drawn") as page:
            charts = json.loads(page.locator("#data").text_content())["charts"]
            assert page.locator(".plot .main-svg").count() >= len(charts)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert page.locator(".claims li").count() == sum(answered(folder, code)["verdicts"].values())
            separator = page.evaluate("data.separators[0]")
            assert separator == ("." if code == "en" else ",")
            page.locator("#theme").click()


def test_the_index_opens_and_its_links_lead_on(exercise: Exercise, browser: Any) -> None:
    folder = exercise(8)
    page, said = browser.new_page(), []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((folder.parent / "index.es.html").as_uri())
    page.locator(f'a[href^="{folder.name}"]').click()
    assert page.locator("h1").inner_text() == answered(folder, "es")["title"]
    page.get_by_text("English").click()
    assert page.locator("h1").inner_text() == answered(folder, "en")["title"]
    page.get_by_text("All exercises").click()
    assert page.locator(".entry").count() >= 1
    assert said == []
    page.close()


def test_the_pages_allow_what_they_hold_and_nothing_else(exercise: Exercise) -> None:
    folder = exercise(8)
    for path in (*folder.glob("report*.html"), *folder.parent.glob("index*.html")):
        assert_only_what_it_holds(path.read_text())


def answered(folder: Any, code: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "answer.json").read_text())[code]
    return found
