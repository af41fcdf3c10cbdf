"""Two files in, encoded splits out: compared with a plain reading of the same files."""

from __future__ import annotations

import gzip
import multiprocessing
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probeta.data import text_cache
from probeta.data.parallel_text import ParallelTextData
from probeta.data.vocabulary import Vocabulary
from probeta.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
WORDS = ["der", "Hund", "sieht", "eine", "Katze", "nicht", "und", "läuft", ",", ".", "<eos>"]


def sentences(n: int) -> list[str]:
    return [" ".join(RNG.choice(WORDS, RNG.integers(1, 9))) for _ in range(n)]


def write(folder: Path, stem: str, source: list[str], target: list[str]) -> None:
    (folder / f"{stem}.aa").write_text("\n".join(source) + "\n", encoding="utf-8")
    (folder / f"{stem}.bb").write_text("\n".join(target) + "\n", encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "text"
    root.mkdir()
    for stem, n in (("train", 90), ("val", 7), ("test", 5)):
        write(root, stem, sentences(n), sentences(n))
    return root


def make(root: Path, **settings: Any) -> ParallelTextData:
    cache = str(root.parent / "cache")
    data = ParallelTextData(str(root), **({"source": "aa", "target": "bb", "cache": cache} | settings))
    data.setup()
    return data


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("joint", [False, True])
def test_words_are_encoded_as_a_plain_loop_does(root: Path, joint: bool) -> None:
    data = make(root, min_frequency=20, casing="lower", joint=joint)
    counts = [Counter(" ".join(read(root / f"train.{side}")).lower().split()) for side in ("aa", "bb")]
    if joint:
        counts = [counts[0] + counts[1]] * 2
    for side, language, count in zip(("aa", "bb"), (data.source, data.target), counts, strict=True):
        twin = Vocabulary.from_counts(count, 20)
        assert language.vocabulary.tokens == twin.tokens
        for split in ("train", "val", "test"):
            rows = data.pairs[split].source if side == "aa" else data.pairs[split].target
            expected = [[1, *twin.encode(line.lower().split()), 2] for line in read(root / f"{split}.{side}")]
            assert [rows[i].tolist() for i in range(len(rows))] == expected
    assert data.spec.shared_vocabulary is joint


def test_references_are_the_lines_in_the_datas_case(root: Path) -> None:
    data = make(root, casing="lower")
    assert list(data.references("test")) == [line.lower() for line in read(root / "test.bb")]
    assert data.sources("val")[2:4] == [line.lower() for line in read(root / "val.aa")[2:4]]


def test_batches_hold_the_encoded_pairs(root: Path) -> None:
    data = make(root, batch_size=8)
    seen = []
    for batch in data.train_dataloader():
        for index, ids in zip(batch.index.tolist(), batch.target.tolist(), strict=True):
            assert data.decode(ids) == data.references("train")[index].replace("<eos>", "<unk>")
            seen.append(index)
    assert sorted(seen) == list(range(90))


@pytest.mark.parametrize("joint", [False, True])
@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_sentencepiece_spells_every_training_line(root: Path, kind: str, joint: bool) -> None:
    data = make(root, tokens="sentencepiece", type=kind, size=40, joint=joint)
    assert len(data.source.vocabulary) <= 40
    plain = [i for i, line in enumerate(read(root / "train.bb")) if "<" not in line]
    for i in plain[::7]:
        assert data.decode(data.pairs["train"].target[i].tolist()) == read(root / "train.bb")[i]
    assert (data.source.vocabulary.tokens == data.target.vocabulary.tokens) is joint


def test_spacy_sees_the_case_before_it_is_lowered(root: Path) -> None:
    write(root, "test", ["Mr. Smith can't go."], ["Das ist z.B. gut."])
    for stem in ("train", "val", "test"):
        for old, new in (("aa", "en"), ("bb", "de")):
            (root / f"{stem}.{old}").rename(root / f"{stem}.{new}")
    data = make(root, source="en", target="de", tokens="spacy", casing="lower")
    assert data.source.words("Mr. Smith can't go.") == ["mr.", "smith", "ca", "n't", "go", "."]
    assert data.reference_words("test") == [["das", "ist", "z.b.", "gut", "."]]


def test_gzip_reads_as_plain_text(root: Path) -> None:
    plain = make(root)
    for path in list(root.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    packed = make(root)
    assert np.array_equal(packed.pairs["train"].target.ids, plain.pairs["train"].target.ids)


def test_blank_lines_go_everywhere_and_long_pairs_from_training_only(root: Path) -> None:
    write(root, "train", ["a", "", "b b b", "c", " \t "], ["x", "y", "z", "x x x x", "w"])
    write(root, "test", ["a", "a a a a"], ["", "x"])
    data = make(root, max_length=3)
    assert data.counts["train"] | {"pairs": 2, "blank": 2, "too_long": 1} == data.counts["train"]
    assert list(data.sources("train")) == ["a", "b b b"]
    assert data.counts["test"]["blank"] == 1
    assert list(data.sources("test")) == ["a a a a"]
    assert len(data.pairs["test"]) == 1


def test_limit_takes_the_first_training_pairs(root: Path) -> None:
    data = make(root, limit=10)
    assert list(data.sources("train")) == read(root / "train.aa")[:10]
    assert len(data.pairs["val"]) == 7


def test_one_pair_of_files_is_split_by_content_and_the_note_says_so(root: Path) -> None:
    lines = [f"w{i % 50} w{i % 7}" for i in range(350)]
    write(root, "all", lines, lines)
    data = make(root, train="all", val=None, test=None, holdout=0.1)
    parts = {split: set(data.sources(split)) for split in ("train", "val", "test")}
    assert sum(len(data.pairs[split]) for split in parts) == 350
    assert len(parts["val"]) == len(parts["test"]) == round(0.1 * len(set(lines)))
    assert not parts["train"] & parts["val"] | parts["val"] & parts["test"] | parts["train"] & parts["test"]
    assert data.note is not None
    assert "no files for val and test" in data.note
    again = make(root, train="all", val=None, test=None, holdout=0.1, seed=7)
    assert set(again.sources("val")) != parts["val"]


def test_missing_default_files_are_split_off_but_named_ones_must_exist(root: Path) -> None:
    (root / "test.aa").unlink()
    with pytest.raises(DataError, match=r"test\.bb has no partner"):
        make(root)
    (root / "test.bb").unlink()
    data = make(root)
    assert data.note is not None
    assert data.note.startswith("no files for test:")
    with pytest.raises(DataError, match=r"data\.test=test_2016: there is no .*test_2016\.aa"):
        make(root, test="test_2016")
    with pytest.raises(DataError, match=r"data\.root=.* is not a folder"):
        make(root / "nowhere")


def test_unequal_line_counts_are_told_with_file_and_line(root: Path) -> None:
    write(root, "train", ["a", "b", "c"], ["x"])
    with pytest.raises(DataError, match=r"train\.aa 3 lines and .*train\.bb 1 lines: line 2 of .*train\.aa"):
        make(root)


def test_invalid_utf8_is_told_with_file_and_line(root: Path) -> None:
    (root / "train.bb").write_bytes(b"gut\nsch\xf6n\n")
    with pytest.raises(DataError, match=r"train\.bb, line 2: not valid UTF-8"):
        make(root)


def test_a_torn_gzip_file_is_told(root: Path) -> None:
    packed = gzip.compress(("wort\n" * 4000).encode())
    (root / "train.bb").unlink()
    (root / "train.bb.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"train\.bb\.gz, after line \d+: not a whole gzip file"):
        make(root)


@pytest.mark.parametrize(("lines", "told"), [([], "hold no sentence pairs"), (["", " "], "2 blank lines")])
def test_an_empty_corpus_is_refused(root: Path, lines: list[str], told: str) -> None:
    for side in ("aa", "bb"):
        (root / f"train.{side}").write_text("".join(line + "\n" for line in lines))
    with pytest.raises(DataError, match=told):
        make(root)


def test_a_corpus_of_long_pairs_only_is_refused(root: Path) -> None:
    write(root, "train", ["a a a"] * 4, ["x"] * 4)
    with pytest.raises(DataError, match=r"all 4 pairs are longer than data\.max_length=2"):
        make(root, max_length=2)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tokens": "word"}, "tokens=word"),
        ({"casing": "upper"}, "casing=upper .*keep or lower"),
        ({"max_length": 0}, "max_length=0"),
        ({"holdout": 0.5}, "holdout=0.5"),
        ({"target": "aa"}, "target=aa"),
    ],
)
def test_wrong_settings_are_refused_before_any_file_is_read(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ParallelTextData("/nowhere", **({"source": "aa", "target": "bb"} | settings))


def test_the_cache_is_used_until_content_or_settings_change(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    build = text_cache.Path.rename
    monkeypatch.setattr(text_cache.Path, "rename", lambda self, to: built.append(to) or build(self, to))
    first = make(root)
    make(root)
    assert len(built) == 1
    make(root, casing="lower")
    assert len(built) == 2
    make(root, batch_size=3)
    assert len(built) == 2
    (root / "val.aa").write_text("Hund\n" * 7)
    changed = make(root)
    assert len(built) == 3
    assert changed.sha256() != first.sha256()
    assert not list((root.parent / "cache").glob("*.building"))


def test_a_killed_build_is_built_again(root: Path) -> None:
    data = make(root)
    (done,) = [path for path in data.cache.iterdir() if path.is_dir()]
    done.rename(f"{done}.building")
    (done.parent / f"{done.name}.building" / "corpus.json").unlink()
    assert len(make(root).pairs["train"]) == 90


def _open_in_a_process(arguments: tuple[Path, int]) -> tuple[int, int]:
    data = make(arguments[0])
    return len(data.pairs["train"]), int(data.pairs["train"].target.ids.astype(np.int64).sum())


@pytest.mark.slow
def test_jobs_that_start_together_build_one_corpus(root: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        results = pool.map(_open_in_a_process, [(root, i) for i in range(3)])
    assert len(set(results)) == 1
    assert sum(path.is_dir() for path in (root.parent / "cache").iterdir()) == 1


def test_an_unwritable_cache_is_told(root: Path) -> None:
    (root / "file").write_text("")
    with pytest.raises(DataError, match=r"data\.cache=.*file"):
        make(root, cache=str(root / "file" / "cache"))


def test_a_home_that_cannot_be_written_is_done_without(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "file"))
    data = make(root, cache=None)
    assert data.counts == make(root).counts
    assert [r.message for r in caplog.records if "cannot be written" in r.message] == [
        f"No cache of encoded text: {root / 'file' / 'probeta' / 'text'} cannot be written (Not a directory)."
    ]


@pytest.mark.slow
def test_memory_stays_flat_on_three_million_pairs() -> None:
    from tests.benchmarks.text_memory import LARGE, peak

    assert peak(LARGE)["peak_mb"] < 1000


def test_a_damaged_cache_is_told_and_built_again(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = make(root).source.vocabulary.tokens
    [ids] = (root.parent / "cache").glob("*/train.source.ids")
    before = ids.read_bytes()
    ids.write_bytes(before[: len(before) // 2] + bytes(len(before) - len(before) // 2))  # as a crash may leave it
    assert make(root).source.vocabulary.tokens == whole
    assert "is damaged: it is encoded again" in caplog.text
    assert ids.read_bytes() == before


def test_a_bit_that_opening_does_not_read_is_found_by_reading_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_cache, "BLOCK", 8)
    monkeypatch.setattr(text_cache.hash_blocks, "__defaults__", (2,))
    monkeypatch.setattr(text_cache.hashes, "__defaults__", (2,))
    make(root).verify()
    [ids] = (root.parent / "cache").glob("*/train.source.ids")
    content = bytearray(ids.read_bytes())
    content[len(content) // 2] ^= 1
    ids.write_bytes(content)
    data = make(root)  # between the first and the last block
    with pytest.raises(DataError, match=r"train.source.ids is damaged: remove .*cache"):
        data.verify()


def test_lines_that_tokenizers_make_equal_are_held_out_together(root: Path) -> None:
    plain = [f"w{i} Wort v{i % 7}" for i in range(200)]
    source = [line for text in plain for line in (text, text.upper(), text.replace(" ", "  ", 1))]
    write(root, "train", source, source)
    for stem in ("val", "test"):
        for side in ("aa", "bb"):
            (root / f"{stem}.{side}").unlink()
    data = make(root, tokens="whitespace", casing="lower", holdout=0.2)
    sides = {split: {" ".join(line.lower().split()) for line in data.sources(split)} for split in ("train", "val")}
    assert sides["val"]
    assert not sides["val"] & sides["train"]
