from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.model_selection import train_test_split

from probeta.data.batches import LabelledBatches, epoch_order
from probeta.data.labelled import LabelledData, Split, class_counts
from probeta.data.moons import MoonsData
from probeta.data.random_sequences import RandomSequencesData
from probeta.data.separable import SeparableData
from probeta.data.spec import PointsSpec
from probeta.errors import ConfigError


def test_moons_are_the_notebook_s_splits() -> None:
    data = MoonsData()
    data.setup()
    x, y = make_moons(n_samples=1200, noise=0.15, random_state=42)
    x = x.astype(np.float32)
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, random_state=42, stratify=y)
    x_val, x_test, _, _ = train_test_split(x_rest, y_rest, test_size=0.5, random_state=42, stratify=y_rest)
    for name, expected in (("train", x_train), ("val", x_val), ("test", x_test)):
        assert np.array_equal(data.splits[name].x.numpy(), expected)
    assert np.array_equal(data.splits["train"].y.numpy(), y_train)
    assert data.spec.class_counts == (360, 360)


def test_imbalance_keeps_a_share_of_the_second_class_in_every_split() -> None:
    data = MoonsData(imbalance=0.1)
    data.setup()
    for split in data.splits.values():
        assert float(split.y.float().mean()) == pytest.approx(60 / 660, abs=0.01)


def test_separable_clouds_leave_a_corridor() -> None:
    data = SeparableData(n_samples=200, margin=0.4)
    data.setup()
    x, y = data.splits["train"]
    side = (2 * y - 1) * x.sum(dim=1)
    assert float(side.min()) >= 0.8
    assert "training points" in data.note


def test_the_data_seed_alone_says_what_the_data_are() -> None:
    def drawn(seed: int, shuffle: int) -> str:
        data = RandomSequencesData(seed=seed)
        data.open(shuffle)
        return data.sha256()

    assert drawn(1, 0) == drawn(1, 9) != drawn(2, 0)


def test_an_epoch_visits_every_example_once_in_an_order_of_its_own() -> None:
    x = torch.arange(23.0)[:, None]
    batches = LabelledBatches(x, torch.arange(23), batch_size=5, shuffle_seed=3)
    orders = []
    for epoch in (0, 1, 0):
        batches.set_epoch(epoch)
        orders.append(torch.cat([batch.y for batch in batches]).tolist())
        assert sorted(orders[-1]) == list(range(23))
    assert orders[0] == orders[2] == epoch_order(3, 0, 23).tolist()
    assert orders[0] != orders[1]


def test_a_resumed_epoch_goes_on_where_it_stopped() -> None:
    batches = LabelledBatches(torch.arange(23.0)[:, None], torch.arange(23), batch_size=5, shuffle_seed=3)
    whole = [batch.y.tolist() for batch in batches]
    batches.start_at(2)
    assert [batch.y.tolist() for batch in batches] == whole[2:]
    assert [batch.y.tolist() for batch in batches] == whole


def test_processes_share_out_the_rows_of_every_batch() -> None:
    def batches(rank: int, world: int) -> list[list[int]]:
        made = LabelledBatches(torch.arange(23.0)[:, None], torch.arange(23), batch_size=6, shuffle_seed=1)
        made.shard(rank, world)
        return [batch.y.tolist() for batch in made]

    for whole, first, second in zip(batches(0, 1), batches(0, 2), batches(1, 2), strict=True):
        assert sorted(first + second) == sorted(whole)
        assert abs(len(first) - len(second)) <= 1


class Drawn(LabelledData):
    """Data that divide their examples by themselves, as a user writes them: a seed is all that they pass on."""

    def __init__(self, seed: int = 0, batch_size: int | None = None) -> None:
        super().__init__(seed, batch_size)

    def draw(self) -> dict[str, Split]:
        x = torch.randn(6, 2, generator=torch.Generator().manual_seed(self.seed))
        return {split: Split(x, torch.arange(6) % 3) for split in ("train", "val", "test")}

    @property
    def spec(self) -> PointsSpec:
        return PointsSpec(2, 3, class_counts(self.splits["train"], 3))


def test_data_that_divide_themselves_need_a_seed_alone() -> None:
    data = Drawn(seed=4)
    data.open(1)
    assert (data.seed, data.spec.class_counts) == (4, (2, 2, 2))
    with pytest.raises(ConfigError, match=r"data\.seed=-1"):
        Drawn(seed=-1)
