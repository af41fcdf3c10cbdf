"""Which words of which sentences a survey tells of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from probeta.data.grammar.data import GrammarData
from probeta.data.grammar.kinds import KINDS, link_kinds
from probeta.data.vocabulary import UNK_ID
from probeta.interventions.passes import take
from probeta.interventions.survey import Survey, choose_steps, find_more

from .nets import make_net, make_subject

COUNT = 20


@pytest.fixture(scope="module")
def data() -> GrammarData:
    data = GrammarData(n_samples=500, n_val=2, n_test=200, max_depth=0, max_length=8)
    data.setup()
    return data


def test_each_kind_of_link_has_enough_sentences_and_all_words_those_of_the_first(data: GrammarData) -> None:
    net = make_net("dot")
    more = find_more(data, "test", COUNT)
    subject = take(net, data.spec, data, "test", COUNT, more)
    rows = [*range(COUNT), *more]
    assert min(more) >= COUNT
    assert subject.batch.index.tolist() == rows
    steps = choose_steps(subject, COUNT)
    assert steps["all"][:COUNT].any(1).all()
    assert not steps["all"][COUNT:].any()
    for kind in KINDS:
        have = [row for row in range(200) if any(kind in own for own in link_kinds(data.gold("test", row)))]
        first = [row for row in have if row < COUNT]
        expected = first if len(first) >= COUNT // 2 else have[: COUNT // 2]
        chosen = [rows[i] for i in np.flatnonzero(steps[kind].any(1))]
        known = [row for row in expected if row in chosen]  # where all words of the kind are unknown there is none
        assert chosen == known
        assert len(known) >= 0.8 * len(expected)
    assert (steps["particle"].any(1).sum()) >= 8


def test_unknown_words_and_the_end_are_no_words(data: GrammarData) -> None:
    net = make_net("dot")
    subject = make_subject(net)
    target = torch.tensor([[1, 4, UNK_ID, 6, 2], [1, 7, 8, 2, 0], [1, UNK_ID, 10, 4, 2]])
    one = type(subject)(net, subject.spec, subject.batch._replace(target=target))
    assert choose_steps(one, 3)["all"].tolist() == [
        [True, False, True, False], [True, True, False, False], [False, True, True, False],
    ]  # fmt: skip
    assert subject.spec.unk_id == UNK_ID
    blank = torch.tensor([[1, UNK_ID, UNK_ID, 2, 0]] * 3)
    none = type(subject)(net, subject.spec, subject.batch._replace(target=blank))
    assert choose_steps(none, 3)["all"].tolist() == [[True, True, False, False]] * 3


def test_what_was_not_measured_has_no_row() -> None:
    found = Survey({"aer/nothing": np.nan, "drop/nothing": np.zeros(3), "aer_of/weight": 0.25})
    assert [(row["quantity"], row["n"]) for row in found.rows()] == [("drop", 3), ("aer_of", 1)]
