"""A command line is read as its writer means it, or refused with the hint that helps."""

from pathlib import Path

import pytest

from probeta.composition.app import as_typed, expand_home, find_value, parse_arguments
from probeta.errors import ConfigError


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--experiment", "moons_mlp"], "--experiment is not an option.*experiment=moons_mlp"),
        (["--multi"], "--multi is not an option"),
        (["moons_mlp"], "did you mean experiment=moons_mlp"),
        (["regularization"], "did you mean study=regularization"),
        (["optimizer.lr", "=0.1"], r"space.*optimizer\.lr=0\.1"),
    ],
)
def test_what_is_no_override_gets_the_hint_that_helps(argv: list[str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_arguments(argv)


def test_options_are_taken_in_full() -> None:
    args = parse_arguments(["--multirun", "seed=1,2", "~callbacks.checkpoint", "--config-dir", "mine"])
    assert (args.multirun, args.overrides, args.config_dir) == (True, ["seed=1,2", "~callbacks.checkpoint"], "mine")


def test_a_folder_s_name_is_no_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert expand_home("output_dir=~/runs") == "output_dir=/home/ada/runs"
    assert expand_home('output_dir="~/runs"') == 'output_dir="/home/ada/runs"'
    assert expand_home("text=~ about") == "text=~ about"
    assert as_typed("hydra.run.dir=out[/x]") == "hydra.run.dir='out[/x]'"
    assert as_typed("data.root=a,b") == "data.root=a,b"
    member = "outputs/study/depth=2,optimizer.lr=0.1-41d5039615"  # as a sweep names its runs
    assert [as_typed(f"{key}={member}") for key in ("run", "data.path")] == [f"run='{member}'", f"data.path='{member}'"]


def test_a_value_is_that_of_the_last_line_as_hydra_is_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert find_value(["output_dir=a", "seed=1", "output_dir=~/runs"], "output_dir") == "/home/ada/runs"
    assert find_value(["output_dirs=a"], "output_dir") is None


def test_brackets_dollars_and_colons_of_a_corpus_are_printed_and_drawn(capsys, tmp_path: Path) -> None:
    from probeta.commands.outcome import translations_table
    from probeta.figures.attention import attention_figure
    from probeta.figures.style import save
    from probeta.runs.terminal import plain_console

    words = ["[/i]", "[red]", ":smile:", "$", "1_2", "$"]
    row = {"split": "test", "source": words, "hypothesis": words, "reference": words}
    plain_console(width=200).print(translations_table([row]))
    assert capsys.readouterr().out.count("[/i] [red] :smile: $ 1_2 $") == 3
    weights = [[0.1] * len(words)] * len(words)
    assert save(attention_figure("$x^$ $", words, words, weights, words), tmp_path / "a")[0].is_file()


def test_the_reader_s_matplotlibrc_does_not_decide(tmp_path: Path) -> None:
    import matplotlib as mpl

    from probeta.figures.attention import attention_figure
    from probeta.figures.style import save

    def drawn(name: str) -> bytes:
        return save(attention_figure("t", ["a"], ["b"], [[1.0]]), tmp_path / name)[0].read_bytes()

    plain = drawn("plain")
    with mpl.rc_context({"text.usetex": True, "savefig.dpi": 30}):
        assert drawn("other") == plain
