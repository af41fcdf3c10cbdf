"""What every dataset of the laboratory offers beside Lightning's hooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytorch_lightning as pl

from probeta.data.batches import Batches
from probeta.data.spec import DataSpec


class DataModule(pl.LightningDataModule):
    """A dataset that is ready after `setup()`: its splits as batches, and what a model must know of it."""

    shuffle_seed: int = 0
    """What orders the training batches (see `open`). What the data are depends on the data's own seed."""
    note: str | None = None
    """Something about the data that every reader of the results must know."""

    def open(self, shuffle_seed: int) -> None:
        """Read or make the splits; `shuffle_seed`, the run's `seeds.order`, orders the batches of training."""
        self.shuffle_seed = shuffle_seed
        self.setup("fit")

    located: ClassVar[Sequence[str]] = ()
    """Arguments that name a folder to read from (kept as attributes): a run records them as absolute paths."""
    writes: ClassVar[Sequence[str]] = ()
    """Arguments that name a folder to write to: not obeyed where a run directory's configuration states them."""

    def files(self) -> Any:
        """The files that the data are read from, where there are any; `DataError` names one that is missing."""

    def fingerprint(self) -> str | None:
        """What `sha256` will give, from the files alone; `None` where the arguments decide it."""
        return None

    @property
    def has_order(self) -> bool:
        """Whether an epoch may be several batches, whose order the run's `seeds.order` decides."""
        sizes = [getattr(self, name) for name in ("batch_size", "batch_tokens") if hasattr(self, name)]
        return not sizes or any(size is not None for size in sizes)

    def verify(self) -> None:
        """`DataError` where files that were opened are damaged in a place that opening them does not read."""
        return

    @property
    def spec(self) -> DataSpec:
        raise NotImplementedError

    def foresee(self) -> DataSpec | None:
        """What `spec` will be but for counts, so that a job is checked before it runs; `None`: nobody knows yet."""
        return None

    def sha256(self) -> str:
        """A hash of everything in the splits: equal data, equal hash."""
        raise NotImplementedError

    def record(self, folder: Path) -> dict[str, str]:
        """What a run writes down so that it goes on from any folder: the arguments in `located`. Those that are not
        absolute mean files in its directory, of which `folder` is a part that data may write into."""
        return {name: str(getattr(self, name)) for name in self.located}

    def save(self, folder: Path) -> None:
        """Write what using the model needs without the data (tokenizers, means) into `folder`, a run's `artifacts/`."""

    @classmethod
    def load(cls, folder: Path) -> Any:
        """What `save` wrote there, with the data's `spec`; `None` where using the model needs the data themselves."""
        return None

    def facts(self) -> dict[str, Any]:
        """What the result says of the data beside their hash."""
        return {}

    def batches(self, split: str, *, shuffle_seed: int | None = None) -> Batches[Any]:
        """The batches of `split`: for training in the order of `shuffle_seed`, for evaluation in a fixed one."""
        raise NotImplementedError
