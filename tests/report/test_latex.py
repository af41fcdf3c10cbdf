"""The table for a paper: its numbers, its structure, and text that LaTeX prints as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scipy import stats

from probeta.cli import main
from probeta.report.latex import escape
from tests.report.synthetic import write_grid, write_run


def test_mean_and_interval_of_every_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = write_grid(tmp_path, {"optimizer.lr": [0.1, 1.0, 2.0]}, range(1, 6))
    assert main(["report", str(tmp_path), "format=latex", "metric=test/acc"]) == 0
    table = capsys.readouterr().out
    assert table == (tmp_path / "table.tex").read_text()
    assert all(table.count(rule) == 1 for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{"))
    rows = [line.strip() for line in table.splitlines() if line.strip().startswith("lr=")]
    assert [re.split("[ $]", row)[0] for row in rows] == ["lr=2.0", "lr=1.0", "lr=0.1"]  # best first
    for row in rows:
        values = list(written[f"optimizer.{re.split('[ $]', row)[0]}"].values())
        low, high = stats.t.interval(0.95, 4, stats.tmean(values), stats.sem(values))
        numbers = [float(number) for number in re.findall(r"0\.\d+", row.split("&")[1])]
        assert numbers == pytest.approx([stats.tmean(values), low, high], abs=1e-4)
        assert row.endswith(r"& 5 \\")
    assert r"\dagger" not in rows[0]
    assert r"\dagger" in rows[2]
    assert "differs from the first" in table


def test_equal_values_have_no_interval_and_failures_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (1, 2, 3):
        write_run(tmp_path, [f"seed={seed}", "optimizer.lr=0.1"], {"test/acc": 0.5}, seed=seed)
    write_run(tmp_path, ["seed=4", "optimizer.lr=0.1"], {}, status="failed", error={"type": "E", "message": ""}, seed=4)
    assert main(["report", str(tmp_path), "format=latex"]) == 0
    table = capsys.readouterr().out
    assert re.search(r"& 0\.5 & 3 \\\\", table)
    assert "Runs that failed" in table


@pytest.mark.parametrize("text", ["50 % & more", "a_b#c$d", r"\input{x}", "{}~^", "x<y>z|"])
def test_nothing_of_a_name_is_a_command(text: str) -> None:
    printed = re.sub(r"\\(text\w+)\{\}|\\[&%$#_{}]", "", escape(text))
    assert not re.search(r"[\\&%$#_{}~^<>|]", printed)


def test_a_table_is_of_one_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "a", "b", "format=latex"]) == 2
    assert main(["report", "a", "format=word"]) == 2
    assert "page or latex" in capsys.readouterr().err
