"""Batches: every pair once an epoch, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from probeta.data.buckets import Batches
from probeta.data.pairs import EncodedPairs


def make(n: int, seed: int = 0) -> EncodedPairs:
    rng = np.random.default_rng(seed)
    rows = [[[1, *rng.integers(4, 50, rng.integers(1, 18)).tolist(), 2] for _ in range(n)] for _ in range(2)]
    return EncodedPairs.from_lists(*rows)


@pytest.fixture(scope="module")
def pairs() -> EncodedPairs:
    return make(157)


def seen(batches: Batches) -> list[list[int]]:
    return [batch.index.tolist() for batch in batches]


def test_padding_equals_torchs_pad_sequence(pairs: EncodedPairs) -> None:
    for batch in Batches(pairs, batch_size=7, shuffle=True):
        for padded, rows in ((batch.source, pairs.source), (batch.target, pairs.target)):
            twin = pad_sequence([torch.tensor(rows[i]) for i in batch.index.tolist()], batch_first=True)
            assert torch.equal(padded, twin.long())


@pytest.mark.parametrize(
    "settings", [{"batch_size": 8}, {"batch_tokens": 90}, {}, {"batch_size": 8, "width": None}]
)
def test_an_epoch_has_every_pair_once_and_the_announced_number_of_batches(
    pairs: EncodedPairs, settings: dict[str, int | None]
) -> None:
    batches = Batches(pairs, shuffle=True, **settings)  # type: ignore[arg-type]
    for epoch in range(4):
        batches.set_epoch(epoch)
        order = seen(batches)
        assert len(order) == len(batches)
        assert sorted(i for batch in order for i in batch) == list(range(157))


def test_token_batches_stay_in_their_budget_padding_included(pairs: EncodedPairs) -> None:
    batches = Batches(pairs, batch_tokens=90, shuffle=True)
    sizes = [len(b.index) * max(b.source.shape[1], b.target.shape[1]) for b in batches]
    assert max(sizes) <= 90
    assert np.mean(sizes) > 0.75 * 90


def test_a_pair_longer_than_the_budget_is_a_batch_of_its_own(pairs: EncodedPairs) -> None:
    assert all(len(batch) >= 1 for batch in seen(Batches(pairs, batch_tokens=10, shuffle=True)))


def test_buckets_remove_most_of_the_padding() -> None:
    pairs = make(2000)
    real = int(pairs.target.lengths.sum())

    def padded(width: int | None) -> int:
        return sum(b.target.numel() for b in Batches(pairs, batch_size=32, shuffle=True, width=width))

    assert padded(2) < 1.03 * real
    assert padded(None) > 1.5 * real


def test_the_order_follows_from_seed_and_epoch_alone(pairs: EncodedPairs) -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        batches = Batches(pairs, batch_size=8, shuffle=True, seed=seed)
        batches.set_epoch(epoch)
        return seen(batches)

    torch.manual_seed(1)
    first = order(1, 3)
    np.random.seed(5)
    torch.manual_seed(2)
    assert order(1, 3) == first
    assert order(1, 4) != first
    assert order(2, 3) != first
    assert {frozenset(b) for b in order(1, 3)} != {frozenset(b) for b in order(1, 4)}


def test_without_shuffling_every_epoch_is_the_same(pairs: EncodedPairs) -> None:
    batches = Batches(pairs, batch_size=8)
    first = seen(batches)
    batches.set_epoch(5)
    assert seen(batches) == first


def test_a_pass_resumes_at_the_batch_where_it_stopped(pairs: EncodedPairs) -> None:
    batches = Batches(pairs, batch_size=8, shuffle=True, seed=3)
    batches.set_epoch(2)
    whole = seen(batches)
    passing = iter(batches)
    for _ in range(5):
        next(passing)
    resumed = Batches(pairs, batch_size=8, shuffle=True, seed=3)
    resumed.load_state_dict(batches.state_dict())
    resumed.set_epoch(2)
    assert seen(resumed) == whole[5:]
    assert seen(resumed) == whole


def test_a_finished_pass_resumes_with_a_whole_one(pairs: EncodedPairs) -> None:
    batches = Batches(pairs, batch_size=8)
    passing = iter(batches)
    for _ in range(len(batches)):
        next(passing)
    assert batches.state_dict() == {"position": 0}


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_every_batch_and_its_padding(pairs: EncodedPairs, world: int) -> None:
    whole = list(Batches(pairs, batch_tokens=120, shuffle=True, seed=1))
    ranks = [
        list(Batches(pairs, batch_tokens=120, shuffle=True, seed=1, rank=r, world_size=world))
        for r in range(world)
    ]
    for batch, *shards in zip(whole, *ranks, strict=True):
        assert {i for shard in shards for i in shard.index.tolist()} == set(batch.index.tolist())
        assert all(shard.source.shape[1] == batch.source.shape[1] for shard in shards)
        assert all(len(shard.index) > 0 for shard in shards)


def test_fewer_pairs_than_ranks_leave_no_rank_without_work() -> None:
    pairs = make(2)
    shards = [next(iter(Batches(pairs, rank=r, world_size=3))).index.tolist() for r in range(3)]
    assert shards == [[0], [1], [0]]


def test_an_empty_split_has_no_batches() -> None:
    assert seen(Batches(EncodedPairs.from_lists([], []))) == []
