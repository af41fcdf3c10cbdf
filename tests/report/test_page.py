"""The page in a real browser: it renders, it sorts, it says nothing on the console, it needs no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from probeta.sweeps.report import write_report
from tests.report.conftest import opened
from tests.report.policy import assert_only_what_it_holds
from tests.report.synthetic import write_grid, write_run

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fccff0bf1e0005fe02fe"
    "a7d3c1a00000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def page_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sweep")
    write_grid(root, {"optimizer.lr": [0.01, 0.1, 1.0], "model.width": [8, 16]}, [1, 2, 3], epochs=7)
    error = {"type": "ValueError", "message": "</script><b>no</b>", "traceback": "line 1\nline 2"}
    write_run(root, ["optimizer.lr=9.0", "model.width=8", "seed=1"], {}, status="failed", error=error)
    drawn = next(root.glob("width=8,lr=0.01,seed=1*")) / "figures"
    drawn.mkdir()
    (drawn / "decision_boundary.png").write_bytes(PIXEL)
    for kind in ("svg", "pdf"):
        (drawn / f"decision_boundary.{kind}").write_bytes(b"drawn")
    return write_report(root).page


def test_the_page_names_no_other_address(page_path: Path) -> None:
    head = page_path.read_text().split('<script type="application/octet-stream"')[0]
    assert "http://" not in head
    assert "https://" not in head
    assert page_path.stat().st_size < 3_000_000


def test_the_policy_allows_what_a_page_holds_and_nothing_else(page_path: Path) -> None:
    assert_only_what_it_holds(page_path.read_text())
    single = write_report(next(page_path.parent.glob("width=8,lr=0.01,seed=1*"))).page
    assert_only_what_it_holds(single.read_text())


def test_what_is_smuggled_into_a_page_neither_runs_nor_loads(browser: Any, page_path: Path, tmp_path: Path) -> None:
    smuggled = "<script>document.title = 'ran'</script><img src=http://127.0.0.1:9/ onerror=\"document.title = 'ran'\">"
    path = tmp_path / "report.html"
    path.write_text(page_path.read_text().replace('<main id="main">', f'<main id="main">{smuggled}'))
    page, refused = browser.new_page(), []
    page.on("requestfailed", lambda request: refused.append((request.url, request.failure)))
    page.goto(path.as_uri())
    page.wait_for_function("document.documentElement.dataset.drawn", timeout=60_000)
    assert page.title() != "ran"
    assert refused == [("http://127.0.0.1:9/", "csp")]
    page.close()


@pytest.fixture(scope="module", params=[("light", 1280), ("dark", 390)], ids=["light-wide", "dark-phone"])
def page(request: pytest.FixtureRequest, browser: Any, page_path: Path) -> Iterator[Any]:
    scheme, width = request.param
    with opened(browser, page_path, scheme, width, "drawn") as page:
        yield page


def column(page: Any, table: str, number: int) -> list[str]:
    cells = page.locator(f"#{table} tbody tr > :nth-child({number})")
    return [text.split()[0] if text else "" for text in cells.all_inner_texts()]


def test_the_page_renders_and_fits_its_window(page: Any) -> None:
    assert page.locator("#spread .scatterlayer .trace").count() >= 2
    assert page.locator("#curves .scatterlayer .trace").count() == 12
    assert page.locator("#parallel .scatterlayer .trace").count() == 6
    assert page.locator(".gallery img").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator(".failure").inner_text().startswith("width=8,lr=9.0")
    assert "</script><b>no</b>" in page.locator(".failure").inner_text()


def test_headings_sort_both_ways_by_mouse_and_by_keyboard(page: Any) -> None:
    heading = page.locator("#variants thead button").nth(2)
    heading.click()
    up = [float(v) for v in column(page, "variants", 3) if v != "–"]
    assert up == sorted(up)
    assert len(up) == 6
    heading.focus()
    page.keyboard.press("Enter")
    assert [float(v) for v in column(page, "variants", 3) if v != "–"] == up[::-1]
    assert page.locator("#variants th[aria-sort=descending]").count() == 1
    assert column(page, "variants", 3)[-1] == "–"  # what has no value stays last


def test_the_theme_follows_the_reader_and_can_be_changed(page: Any) -> None:
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_a_metric_can_be_chosen(page: Any) -> None:
    page.locator("#curves-metric").select_option("train/loss")
    page.locator("#curves-log").check()
    assert page.locator("#curves .ytitle").text_content() == "train/loss"


def test_every_table_is_seen_whole_on_a_phone_and_on_a_desk(page: Any) -> None:
    tables = page.locator(".scroll").all()
    assert len(tables) >= 3
    assert all(table.evaluate("t => t.scrollWidth <= t.clientWidth + 1") for table in tables)


def test_a_chart_is_saved_as_a_drawing_that_scales(page: Any) -> None:
    page.locator("#spread .nsewdrag").hover()
    button = page.locator("#spread .modebar-btn")
    assert button.get_attribute("data-title") == "Download the chart as SVG"
    with page.expect_download() as saved:
        button.click()
    assert saved.value.suggested_filename.endswith(".svg")
    assert "<svg" in saved.value.path().read_text()


def test_curves_count_epochs_from_one_as_figures_do(page: Any) -> None:
    drawn = page.evaluate(
        "document.getElementById('curves').data.filter((t) => t.mode === 'lines' && t.name).map((t) => t.x)"
    )
    assert all(x == [1, 2, 3, 4, 5, 6, 7] for x in drawn)


def test_a_picture_links_to_its_vector_files(page: Any, page_path: Path) -> None:
    links = page.locator(".gallery figcaption a")
    assert links.all_text_contents() == ["SVG", "PDF"]
    for link in links.all():
        assert (page_path.parent / unquote(link.get_attribute("href"))).is_file()


def test_names_that_are_cut_still_differ(page: Any) -> None:
    names = [f"lr=0.01383927492{i}, weight_decay=0.00123456789, width=1{i}" for i in range(3)]
    shown = page.evaluate("names => fit(names, 18)", names)
    assert len(set(shown)) == 3
    assert all(len(name) <= 18 for name in shown)
    assert page.evaluate("fit(['lr=0.0138392749', 'lr=0.2'], 18)") == ["lr=0.0138392749", "lr=0.2"]
    assert page.evaluate("fit(['lr=0.01383927491', 'lr=0.01383927492'], 8)") == ["lr=0.01383927491", "lr=0.01383927492"]
