"""The grammar as a dataset: the same as other parallel text, and gold links beside it."""

from __future__ import annotations

import pytest

from probeta.data.grammar.data import GrammarData
from probeta.data.vocabulary import UNK_ID
from probeta.errors import ConfigError


@pytest.fixture(scope="module")
def data() -> GrammarData:
    found = GrammarData(n_samples=500, n_val=40, n_test=60, batch_size=32)
    found.setup()
    return found


def test_batches_hold_the_words_of_the_gold_pairs_between_bos_and_eos(data: GrammarData) -> None:
    for split in ("train", "val", "test"):
        seen = []
        for batch in data.batches(split, shuffle_seed=0 if split == "train" else None):
            for row, index in enumerate(batch.index.tolist()):
                pair = data.gold(split, index)
                for ids, words, language in (
                    (batch.source[row].tolist(), pair.source, data.source),
                    (batch.target[row].tolist(), pair.target, data.target),
                ):
                    known = [word if word in language.vocabulary.ids else "<unk>" for word in words]
                    assert language.tokens(ids) == known
                    assert ids[: len(words) + 2] == [1, *language.vocabulary.encode(words), 2]
                seen.append(index)
        assert sorted(seen) == list(range(data.sizes[split]))


def test_running_text_encodes_to_the_same_ids(data: GrammarData) -> None:
    pairs = data.pairs["test"]
    for row, (source, reference) in enumerate(zip(data.sources("test"), data.references("test"), strict=True)):
        assert data.source.encode(source) == pairs.source[row].tolist()
        assert data.target.encode(reference) == pairs.target[row].tolist()
    assert data.reference_words("test", [3]) == [list(data.gold("test", 3).target)]


def test_training_has_no_unknown_words(data: GrammarData) -> None:
    assert UNK_ID not in data.pairs["train"].source.ids
    assert UNK_ID not in data.pairs["train"].target.ids
    assert data.spec.source_vocab_size == len(data.source.vocabulary)


def test_each_pair_has_a_length_and_a_reordering_distance(data: GrammarData) -> None:
    assert data.source_lengths("val").tolist() == [len(data.gold("val", i).source) for i in range(40)]
    assert data.reordering("val").shape == (40,)


def test_equal_settings_are_equal_data(data: GrammarData) -> None:
    same, other = (GrammarData(n_samples=500, n_val=40, n_test=60, seed=seed) for seed in (42, 43))
    same.setup()
    other.setup()
    assert same.sha256() == data.sha256() != other.sha256()


def test_a_split_that_differs_says_so() -> None:
    assert GrammarData().note is None
    assert "longer than 12 words" in str(GrammarData(split="length").note)


@pytest.mark.parametrize("key", ["n_samples", "n_val", "n_test"])
def test_an_empty_split_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"data.{key}=0"):
        GrammarData(**{key: 0})


@pytest.mark.parametrize(("n_samples", "told"), [(1500, True), (8000, False)])
def test_german_words_that_a_small_training_set_lacks_are_told(n_samples: int, told: bool) -> None:
    data = GrammarData(split="composition", n_samples=n_samples, n_val=10, n_test=500)
    data.setup()
    known = data.target.vocabulary.ids
    lacking = {word for words in data.reference_words("test") for word in words if word not in known}
    assert bool(lacking) == told
    assert data.note is not None
    assert (f"; {len(lacking)} German words of the test set are not in training" in data.note) == told
