"""Batches: every pair once an epoch, in an order that (seed, epoch) alone decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from probeta.data.buckets import PairBatches
from probeta.data.pairs import EncodedPairs


def make(n: int, seed: int = 0) -> EncodedPairs:
    rng = np.random.default_rng(seed)
    rows = [[[1, *rng.integers(4, 50, rng.integers(1, 18)).tolist(), 2] for _ in range(n)] for _ in range(2)]
    return EncodedPairs.from_lists(*rows)


@pytest.fixture(scope="module")
def pairs() -> EncodedPairs:
    return make(157)


def seen(batches: PairBatches) -> list[list[int]]:
    return [batch.index.tolist() for batch in batches]


def test_padding_equals_torchs_pad_sequence(pairs: EncodedPairs) -> None:
    for batch in PairBatches(pairs, batch_size=7, shuffle_seed=0):
        for padded, rows in ((batch.source, pairs.source), (batch.target, pairs.target)):
            twin = pad_sequence([torch.tensor(rows[i]) for i in batch.index.tolist()], batch_first=True)
            assert torch.equal(padded, twin.long())


@pytest.mark.parametrize("keys", [{"batch_size": 8}, {"batch_tokens": 90}, {}, {"batch_size": 8, "width": None}])
def test_an_epoch_has_every_pair_once_and_the_announced_number_of_batches(
    pairs: EncodedPairs, keys: dict[str, int | None]
) -> None:
    batches = PairBatches(pairs, shuffle_seed=0, **keys)  # type: ignore[arg-type]
    for epoch in range(4):
        batches.set_epoch(epoch)
        order = seen(batches)
        assert len(order) == len(batches)
        assert sorted(i for batch in order for i in batch) == list(range(157))


def test_token_batches_stay_in_their_budget_padding_included(pairs: EncodedPairs) -> None:
    batches = PairBatches(pairs, batch_tokens=90, shuffle_seed=0)
    sizes = [len(b.index) * max(b.source.shape[1], b.target.shape[1]) for b in batches]
    assert max(sizes) <= 90
    assert np.mean(sizes) > 0.75 * 90


def test_a_pair_longer_than_the_budget_is_a_batch_of_its_own(pairs: EncodedPairs) -> None:
    assert all(len(batch) >= 1 for batch in seen(PairBatches(pairs, batch_tokens=10, shuffle_seed=0)))


def test_buckets_remove_most_of_the_padding() -> None:
    pairs = make(2000)
    real = int(pairs.target.lengths.sum())

    def padded(width: int | None) -> int:
        return sum(b.target.numel() for b in PairBatches(pairs, batch_size=32, shuffle_seed=0, width=width))

    assert padded(2) < 1.03 * real
    assert padded(None) > 1.5 * real


def test_the_order_follows_from_seed_and_epoch_alone(pairs: EncodedPairs) -> None:
    def order(seed: int, epoch: int) -> list[list[int]]:
        batches = PairBatches(pairs, batch_size=8, shuffle_seed=seed)
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
    batches = PairBatches(pairs, batch_size=8)
    first = seen(batches)
    batches.set_epoch(5)
    assert seen(batches) == first


def test_a_pass_resumes_at_the_batch_where_it_stopped(pairs: EncodedPairs) -> None:
    batches = PairBatches(pairs, batch_size=8, shuffle_seed=3)
    batches.set_epoch(2)
    whole = seen(batches)
    resumed = PairBatches(pairs, batch_size=8, shuffle_seed=3)
    resumed.start_at(5)
    resumed.set_epoch(2)
    assert seen(resumed) == whole[5:]
    assert seen(resumed) == whole


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_every_batch(pairs: EncodedPairs, world: int) -> None:
    def batches(rank: int, world: int) -> list[list[int]]:
        batches = PairBatches(pairs, batch_tokens=120, shuffle_seed=1)
        batches.shard(rank, world)
        return seen(batches)

    for batch, *shards in zip(batches(0, 1), *[batches(r, world) for r in range(world)], strict=True):
        assert {i for shard in shards for i in shard} == set(batch)
        assert all(len(shard) > 0 for shard in shards)


def test_fewer_pairs_than_ranks_leave_no_rank_without_work() -> None:
    shards = []
    for rank in range(3):
        batches = PairBatches(make(2))
        batches.shard(rank, 3)
        shards += seen(batches)
    assert shards == [[0], [1], [0]]


def test_an_empty_split_has_no_batches() -> None:
    assert seen(PairBatches(EncodedPairs.from_lists([], []))) == []


@given(
    lengths=st.lists(st.tuples(st.integers(2, 30), st.integers(2, 30)), min_size=1, max_size=60),
    budget=st.integers(2, 200),
    width=st.sampled_from([1, 2, 5, None]),
    epoch=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_any_lengths_make_whole_epochs_within_the_budget(
    lengths: list[tuple[int, int]], budget: int, width: int | None, epoch: int
) -> None:
    pairs = EncodedPairs.from_lists(*([[4] * pair[side] for pair in lengths] for side in (0, 1)))
    batches = PairBatches(pairs, batch_tokens=budget, shuffle_seed=1, width=width)
    plan = batches.plan(epoch)
    assert len(plan) == len(batches)
    assert sorted(i for rows in plan for i in rows.tolist()) == list(range(len(lengths)))
    for rows in plan:
        assert len(rows) == 1 or len(rows) * max(max(lengths[i]) for i in rows) <= budget
