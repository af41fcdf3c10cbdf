"""`probeta translate`: files that go on where they stopped, arguments that mean nothing refused."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from probeta.commands import translate
from probeta.errors import ConfigError, DataError, RunDirectoryError
from probeta.inference.translate_file import translate_file
from probeta.models.decoding import Decoding

LINES = [f"line {i} ü" if i % 7 else "" for i in range(50)]


@dataclass
class Upper:
    """Translates by upper case, and dies at a given chunk."""

    dies_at: int | None = None
    decoding: Decoding = field(default_factory=Decoding)
    copy_unknown: bool = False
    lexicon: None = None
    precision: str = "32"
    chunks: int = 0

    def __call__(self, texts: Sequence[str]) -> list[str]:
        self.chunks += 1
        if self.chunks == self.dies_at:
            raise KeyboardInterrupt
        return [text.upper() for text in texts]


@pytest.fixture
def run(tmp_path: Path) -> str:
    run = tmp_path / "run"
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "config.yaml").write_text("seed: 1\n")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "best.ckpt").write_bytes(b"weights")
    return str(run)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return {"input": str(tmp_path / "in.txt"), "output": str(tmp_path / "new" / "out.txt")}


def output(files: dict[str, str]) -> list[str]:
    return Path(files["output"]).read_text(encoding="utf-8").split("\n")[:-1]


def test_a_file_is_translated_in_its_order(run: str, files: dict[str, str]) -> None:
    translate_file(Upper(), run, files, chunk=8)
    assert output(files) == [line.upper() for line in LINES]
    assert [p.name for p in Path(files["output"]).parent.iterdir()] == ["out.txt"]


def test_a_gzip_file_is_read(run: str, files: dict[str, str]) -> None:
    packed = Path(files["input"] + ".gz")
    packed.write_bytes(gzip.compress(Path(files["input"]).read_bytes()))
    translate_file(Upper(), run, files | {"input": str(packed)}, chunk=8)
    assert output(files) == [line.upper() for line in LINES]


def test_an_interrupted_file_goes_on_where_it_stopped(
    run: str, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        translate_file(Upper(dies_at=4), run, files, chunk=8)
    assert not Path(files["output"]).exists()
    with Path(files["output"] + ".partial").open("ab") as stream:
        stream.write("half a lin\xc3"[:-1].encode())  # what a killed process may leave
    second = Upper()
    translate_file(second, run, files, chunk=8)
    assert second.chunks == -(-(50 - 24) // 8)
    assert output(files) == [line.upper() for line in LINES]
    assert "24 of 50 lines are there already" in capsys.readouterr().err


def test_a_file_interrupted_before_its_first_chunk_starts_again(run: str, files: dict[str, str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        translate_file(Upper(dies_at=1), run, files, chunk=8)
    translate_file(Upper(), run, files, chunk=8)
    assert output(files) == [line.upper() for line in LINES]


@pytest.mark.parametrize("changed", ["input", "weights", "search", "precision"])
def test_what_another_command_left_is_not_mixed_in(run: str, files: dict[str, str], changed: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        translate_file(Upper(dies_at=3), run, files, chunk=8)
    translator = Upper()
    if changed == "input":
        Path(files["input"]).write_text("other\n")
    elif changed == "weights":
        (Path(run) / "checkpoints" / "best.ckpt").write_bytes(b"other")
    elif changed == "search":
        translator.decoding = Decoding(beam_size=4)
    else:
        translator.precision = "bf16"
    with pytest.raises(RunDirectoryError, match="is of another input, run or setting"):
        translate_file(translator, run, files, chunk=8)


def test_an_output_that_exists_is_kept(run: str, files: dict[str, str]) -> None:
    Path(files["output"]).parent.mkdir()
    Path(files["output"]).write_text("precious\n")
    with pytest.raises(ConfigError, match="does not exist yet"):
        translate_file(Upper(), run, files)
    assert output(files) == ["precious"]


def test_bad_input_is_refused_before_any_work(run: str, files: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"nothing\.txt does not exist"):
        translate_file(Upper(), run, files | {"input": "nothing.txt"})
    Path(files["input"]).write_bytes(b"gut\n\xff\n")
    with pytest.raises(DataError, match=r"in\.txt, line 2: not valid UTF-8"):
        translate_file(Upper(), run, files)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["text=a"], "run is missing"),
        (["run=x", "text=a", "input=b"], "exclude each other"),
        (["run=x", "input=b"], "output is missing: input=b needs output=FILE"),
        (["run=x", "output=b"], "input is missing"),
        (["run=x", "heatmap=h.png"], "needs text="),
        (["run=x", "text=a", "unknown=drop"], "keep or copy"),
        (["run=x", "text=a", "lexicon=l"], "needs unknown=copy"),
        (["run=x", "text=a", "beam_size=0"], "beam_size=0 is not accepted"),
        (["run=x", "text=a", "length_penalty=much"], "length_penalty=much"),
        (["run=x", "txt=a"], "did you mean 'text'"),
        (["run=nowhere", "text=a"], "nowhere: the folder does not exist"),
    ],
)
def test_mistaken_arguments_are_refused(arguments: list[str], told: str) -> None:
    with pytest.raises((ConfigError, RunDirectoryError), match=told):
        translate.main(arguments)
