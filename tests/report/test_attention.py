"""Two translators side by side: what the page shows is what the runs' artifacts say, read here another way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probeta.metrics.translation_analysis import analysis
from probeta.report.attention import MODELS, ROWS, SENTENCES, collect_attention
from probeta.report.compare import write_comparison
from probeta.runs.artifacts import Artifacts
from probeta.runs.table import read_sweep
from probeta.sweeps.report import write_report
from tests.report.conftest import opened
from tests.report.policy import assert_only_what_it_holds
from tests.report.synthetic import write_run

TEXTS = [f"the {adjective} <b>cat</b> {verb}" for adjective in ("old", "red", "big") for verb in ("sat", "ran", "ate")]
LAYERS, HEADS = 2, 3


def distributions(rng: np.random.Generator, *shape: int) -> Any:
    weights = rng.random(shape) ** 6
    return (weights / weights.sum(-1, keepdims=True)).round(3).tolist()


def translator(root: Path, overrides: list[str], kind: str, texts: list[str] = TEXTS, seed: int = 1) -> Path:
    """A run that left translations: `recurrent` weights, those of a `transformer`, or none of a `blind` net."""
    path = write_run(root, overrides, {"test/bleu": 50.0 + seed}, seed=seed, epochs=3)
    rng, artifacts = np.random.default_rng(seed), path / "artifacts"
    artifacts.mkdir()
    rows, maps, sources, targets, cuts = [], [], [], [], []
    for number, text in enumerate(texts):
        source, target = ["<bos>", *text.split(), "<eos>"], [*text.upper().split(), "ZU", "ZU"][: 4 + number % 3]
        cross = distributions(rng, LAYERS, HEADS, len(target) + 1, len(source))
        attention = np.mean(cross[-1], axis=0)[:-1].tolist() if kind == "transformer" else cross[0][0][:-1]
        row = {"split": "test", "number": number, "source": source, "reference": target, "hypothesis": target}
        gold = [[2, 1, 1], [3, 1, 0]] if number != 1 else None
        rows.append({**row, "attention": None if kind == "blind" else attention, "gold": gold})
        maps.append({"split": "test", "number": number, "source": source, "target": [*target, "<eos>"], "cross": cross})
        heads = {"1,2": f"headless {number}"} if kind == "transformer" else {}
        said = {"base": " ".join(target), "words": {"1": f"wordless {number}"}, "links": {"0,2": f"cut {number}"}}
        more: dict[str, Any] = {}
        if kind == "transformer":
            more = {
                "layers": {"1": f"flat {number}"},
                "everywhere": {"temperature 2": f"warm {number}"},
                "beam": number == 7,
            }
        cuts.append({"split": "test", "number": number, **said, "heads": heads, **more})
        sources.append(text.split())
        targets.append(target)
    (artifacts / "translations.json").write_text(json.dumps(rows))
    if kind != "blind":
        (artifacts / "interventions.json").write_text(json.dumps(cuts))
    if kind == "transformer":
        (artifacts / "attention_maps.json").write_text(json.dumps(maps))
    for name, lines in (("sources", texts), ("hypotheses", texts), ("references", texts)):
        (artifacts / f"{name}.test.txt").write_text("".join(f"{line}\n" for line in lines))
    Artifacts(artifacts).write(analysis("test", sources, targets, targets))
    return path


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("translators")
    translator(root, ["model=a_recurrent", "seed=1"], "recurrent")
    translator(root, ["model=b_transformer", "seed=1"], "transformer", seed=2)
    translator(root, ["model=c_blind", "seed=1"], "blind", seed=3)
    return root


def artifact(sweep: Path, model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    folder = next(sweep.glob(f"{model}*")) / "artifacts"
    maps = folder / "attention_maps.json"
    return json.loads((folder / "translations.json").read_text()), json.loads(
        maps.read_text()
    ) if maps.is_file() else []


@pytest.fixture(scope="module", params=[("light", 1280), ("dark", 390)], ids=["light-wide", "dark-phone"])
def page(request: pytest.FixtureRequest, browser: Any, sweep: Path) -> Iterator[Any]:
    scheme, width = request.param
    with opened(browser, write_report(sweep).page, scheme, width, "attention") as page:
        yield page


def pick(page: Any, sentence: int, left: str, right: str) -> None:
    page.locator("#attention-sentence").select_option(label=TEXTS[sentence])
    for panel, model in enumerate((left, right)):
        page.locator(".panel").nth(panel).locator(".model").select_option(label=model)


def shaded(page: Any, panel: int) -> list[float]:
    """The weights that the source words of a panel are shaded by."""
    words = page.locator(".panel").nth(panel).locator(".source .shaded")
    return [float(word.evaluate("e => getComputedStyle(e).getPropertyValue('--w')")) for word in words.all()]


def word(page: Any, panel: int, t: int) -> Any:
    return page.locator(".panel").nth(panel).locator(f'.target [data-t="{t}"]')


def test_hovering_a_word_shades_the_sources_by_the_weights_of_both_models(page: Any, sweep: Path) -> None:
    pick(page, 4, "a_recurrent", "b_transformer")
    (recurrent, _), (transformer, _) = artifact(sweep, "a_recurrent"), artifact(sweep, "b_transformer")
    for t in (2, 0):
        word(page, 0, t).hover()
        assert shaded(page, 0) == pytest.approx(recurrent[4]["attention"][t], abs=6e-4)
        assert shaded(page, 1) == pytest.approx(transformer[4]["attention"][t], abs=6e-4)
    tokens = page.locator(".panel").nth(1).locator(".source li > .shaded").all_inner_texts()
    assert tokens == transformer[4]["source"]  # and no <b> of it is an element
    digits = page.locator(".panel").nth(0).locator(".source small").all_inner_texts()
    assert [float(text or 0) for text in digits] == pytest.approx(recurrent[4]["attention"][0], abs=0.011)


def test_a_layer_and_a_head_can_be_chosen(page: Any, sweep: Path) -> None:
    pick(page, 2, "a_recurrent", "b_transformer")
    _, maps = artifact(sweep, "b_transformer")
    panel = page.locator(".panel").nth(1)
    assert not page.locator(".panel").nth(0).locator(".head").is_visible()
    panel.locator(".layer").select_option(label="1")
    panel.locator(".head").select_option(label="3")
    word(page, 1, 1).hover()
    assert shaded(page, 1) == pytest.approx(maps[2]["cross"][0][2][1], abs=6e-4)
    panel.locator(".head").select_option(label="mean")
    word(page, 1, 1).hover()  # choosing may have scrolled another word under the pointer
    want = np.mean(np.asarray(maps[2]["cross"][0]), axis=0)[1]
    assert shaded(page, 1) == pytest.approx(want.tolist(), abs=6e-4)


def test_gold_links_are_framed(page: Any) -> None:
    pick(page, 3, "a_recurrent", "b_transformer")
    word(page, 0, 1).hover()
    panel = page.locator(".panel").nth(0)
    classes = [node.get_attribute("class").split() for node in panel.locator(".source .shaded").all()]
    assert [("gold" in c, "possible" in c) for c in classes[1:4]] == [(False, False), (True, False), (True, True)]
    assert "Gold: red, <b>cat</b>" in panel.locator(".said").inner_text()
    assert panel.locator(".map .gold").count() == 2
    word(page, 0, 0).hover()
    assert panel.locator(".source .gold").count() == 0


def test_words_are_reached_by_keyboard_and_marked_in_both_translations(page: Any, sweep: Path) -> None:
    pick(page, 5, "a_recurrent", "b_transformer")
    word(page, 0, 0).focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    (recurrent, _) = artifact(sweep, "a_recurrent")
    assert shaded(page, 0) == pytest.approx(recurrent[5]["attention"][3], abs=6e-4)
    marked = page.locator(".target [aria-current]").all_inner_texts()
    assert marked == [recurrent[5]["hypothesis"][3]] * 2


def test_what_is_removed_shows_in_the_translation_until_it_is_put_back(page: Any) -> None:
    pick(page, 2, "a_recurrent", "b_transformer")
    panel = page.locator(".panel").nth(1)
    without, removed = panel.locator(".without"), panel.locator(".removed")
    assert not without.is_visible()
    panel.locator('.source [data-s="1"]').click()
    assert without.inner_text() == "Without the: wordless 2"
    assert removed.count() == 1
    panel.locator('.map i[data-t="0"][data-s="2"]').click()
    assert without.inner_text().endswith(": cut 2")
    panel.locator('.map i[data-t="1"][data-s="2"]').click()
    assert without.inner_text().endswith(": the same translation")
    panel.locator('.map i[data-t="1"][data-s="2"]').click()
    assert not without.is_visible()
    assert removed.count() == 0
    head = panel.locator(".cut-head")
    assert not head.is_visible()
    panel.locator(".layer").select_option(label="2")
    panel.locator(".head").select_option(label="3")
    head.click()
    assert without.inner_text() == "Without this head: headless 2"
    panel.locator(".head").select_option(label="1")
    assert not without.is_visible()
    for select in (".layer", ".head"):
        panel.locator(select).select_option(index=0)
    assert page.locator(".panel").nth(0).locator(".cut-head").is_hidden()


def test_a_layer_or_all_weights_can_be_changed_too(page: Any) -> None:
    pick(page, 2, "a_recurrent", "b_transformer")
    recurrent, panel = page.locator(".panel").nth(0), page.locator(".panel").nth(1)
    without, layer, weights = (panel.locator(name) for name in (".without", ".cut-layer", ".everywhere"))
    assert recurrent.locator(".cut-layer").is_hidden()
    assert recurrent.locator(".everywhere").is_hidden()  # a run of before
    layer.click()
    assert without.inner_text() == "Without this layer: flat 2"
    assert layer.get_attribute("aria-pressed") == "true"
    panel.locator(".layer").select_option(label="1")
    assert not without.is_visible()
    layer.click()
    assert without.inner_text() == "Without this layer: the same translation"
    panel.locator(".layer").select_option(index=0)
    weights.select_option(label="temperature 2")
    assert without.inner_text() == "With temperature 2: warm 2"
    weights.select_option(label="even weights")
    assert without.inner_text() == "With even weights: the same translation"
    panel.locator('.source [data-s="1"]').click()
    assert weights.input_value() == ""
    weights.select_option(label="every link cut")
    weights.select_option(index=0)
    assert not without.is_visible()


def test_a_link_is_removed_by_keyboard(page: Any) -> None:
    pick(page, 2, "a_recurrent", "b_transformer")
    panel = page.locator(".panel").nth(1)
    word(page, 1, 0).focus()
    source = panel.locator('.source [data-s="2"]')
    source.focus()
    page.keyboard.press("Shift+Enter")
    assert panel.locator(".without").inner_text().endswith(": cut 2")
    assert panel.locator(".map .removed").count() == 1
    page.keyboard.press("Enter")
    assert panel.locator(".without").inner_text() == f"Without {source.inner_text()}: the same translation"
    assert source.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Enter")
    assert panel.locator(".without").is_hidden()
    assert source.get_attribute("aria-pressed") == "false"


def test_what_was_translated_by_beam_search_is_told_apart_from_what_is_removed_greedily(page: Any) -> None:
    pick(page, 7, "a_recurrent", "b_transformer")
    panel = page.locator(".panel").nth(1)
    panel.locator('.source [data-s="2"]').click()
    base = " ".join([*TEXTS[7].upper().split(), "ZU", "ZU"][: 4 + 7 % 3])
    assert panel.locator(".without").inner_text().endswith(f": what greedy search writes with nothing changed, {base}")


def test_a_model_without_attention_says_so_and_keeps_its_translation(page: Any) -> None:
    pick(page, 0, "a_recurrent", "c_blind")
    panel = page.locator(".panel").nth(1)
    assert "no attention" in panel.locator(".said").inner_text()
    assert panel.locator(".target button").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_pages_of_translators_allow_what_they_hold_and_nothing_else(sweep: Path) -> None:
    a, b = (next(sweep.glob(f"{model}*")) for model in ("a_recurrent", "b_transformer"))
    for written in (write_report(sweep), write_report(b), write_comparison(a, b)):
        assert_only_what_it_holds(written.page.read_text())


def test_two_runs_compared_have_a_page_of_their_own(browser: Any, sweep: Path) -> None:
    a, b = (next(sweep.glob(f"{model}*")) for model in ("a_recurrent", "b_transformer"))
    written = write_comparison(a, b)
    assert written.page == b / f"against_{a.name}.html"
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(written.page.as_uri())
    page.wait_for_function("document.documentElement.dataset.attention", timeout=60_000)
    names = page.locator(".panel").nth(0).locator(".model option").all_inner_texts()
    assert names == ["A: a_recurrent", "B: b_transformer"] or names == ["B: b_transformer", "A: a_recurrent"]
    assert "no more than chance" in page.locator("#answer").inner_text()
    assert errors == []
    page.close()


def test_a_run_alone_has_one_panel_or_its_heads_side_by_side(browser: Any, sweep: Path) -> None:
    for model, panels in (("a_recurrent", 1), ("b_transformer", 2)):
        page = browser.new_page()
        page.goto(write_report(next(sweep.glob(f"{model}*"))).page.as_uri())
        page.wait_for_function("document.documentElement.dataset.attention", timeout=60_000)
        assert page.locator(".panel").count() == panels
        page.close()


def test_the_first_two_models_are_of_two_variants(browser: Any, tmp_path: Path) -> None:
    for seed in (1, 2):
        translator(tmp_path, ["model=a_blind", f"seed={seed}"], "blind", seed=seed)
        translator(tmp_path, ["model=b_recurrent", f"seed={seed}"], "recurrent", seed=seed)
    page = browser.new_page()
    page.goto(write_report(tmp_path).page.as_uri())
    page.wait_for_function("document.documentElement.dataset.attention", timeout=60_000)
    shown = [page.locator(".panel").nth(i).get_attribute("aria-label") for i in range(2)]
    assert shown == ["b_recurrent, seed 1", "a_blind, seed 1"]
    page.close()


def test_a_large_study_keeps_its_page_small(tmp_path: Path) -> None:
    texts = [f"sentence {i}" for i in range(20)]
    for seed in range(3):
        for model in range(5):
            overrides = [f"model=m{model}", f"seed={seed}"]
            translator(tmp_path, overrides, "transformer", texts, seed=10 * model + seed)
    found = collect_attention(read_sweep(tmp_path).runs)
    assert found is not None
    # Every variant's first seed before any second one.
    assert found["models"][:6] == [*(f"m{i}, seed 0" for i in range(5)), "m0, seed 1"]
    assert len(found["models"]) == MODELS
    assert len(found["sentences"]) == SENTENCES["test"]
    assert all(len(entry["target"]) <= ROWS for s in found["sentences"] for entry in s["by"])


def edit(run: Path, change: Any) -> None:
    """Change every translation that `run` left."""
    path = run / "artifacts" / "translations.json"
    rows = json.loads(path.read_text())
    for row in rows:
        change(row)
    path.write_text(json.dumps(rows))


def test_gold_and_pieces_are_explained_where_there_are_some(browser: Any, sweep: Path, tmp_path: Path) -> None:
    pieces = translator(tmp_path, ["model=pieces", "seed=1"], "recurrent")
    edit(pieces, lambda row: row.update(gold=None, source=["▁" + token for token in row["source"]]))
    for root, gold in ((sweep, True), (tmp_path, False)):
        page = browser.new_page()
        page.goto(write_report(root).page.as_uri())
        page.wait_for_function("document.documentElement.dataset.attention", timeout=60_000)
        assert page.locator("#attention-gold").is_visible() == gold
        assert page.locator("#attention-pieces").is_visible() != gold
        page.close()


def test_a_long_sentence_keeps_its_words_readable_beside_the_map(browser: Any, tmp_path: Path) -> None:
    translator(tmp_path, ["model=long", "seed=1"], "recurrent", [" ".join(["word"] * 40)])
    with opened(browser, write_report(tmp_path).page, "dark", 390, "attention") as page:
        labels = page.locator(".map b[data-t]").all()
        assert all(label.bounding_box()["width"] >= 60 for label in labels)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        scrolls = "e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === 'auto'"
        assert page.locator(".map").first.evaluate(scrolls)


def test_an_empty_translation_is_not_one_without_attention(tmp_path: Path) -> None:
    run = translator(tmp_path, ["model=stops_at_once", "seed=1"], "recurrent")
    rows = iter(range(len(TEXTS)))
    edit(run, lambda row: row.update(hypothesis=[], attention=[]) if next(rows) == 0 else None)
    found = collect_attention(read_sweep(tmp_path).runs)
    assert found is not None
    by_text = {sentence["text"]: sentence["by"][0] for sentence in found["sentences"]}
    assert by_text[TEXTS[0]]["weights"] == [[[]]]


def test_runs_without_attention_have_no_such_section(tmp_path: Path) -> None:
    translator(tmp_path, ["model=blind", "seed=1"], "blind")
    assert collect_attention(read_sweep(tmp_path).runs) is None
    assert 'id="attention-section"' not in write_report(tmp_path).page.read_text()
