"""The Transformer as a run: what it learns, what it leaves, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from probeta.data.batch import PairBatch
from probeta.data.spec import TextSpec
from probeta.errors import ConfigError
from probeta.models.decoding import Decoding
from probeta.models.transformer import TransformerModule
from probeta.nn.dropout import reseed

SPEC = TextSpec(9, 9, 0, 1, 2, 3, shared_vocabulary=True)
SMALL = {"hidden_size": 8, "heads": 2, "feed_forward": 6, "encoder_layers": 1, "decoder_layers": 2}
BATCH = PairBatch(
    torch.tensor([[1, 4, 5, 2], [1, 6, 2, 0]]), torch.tensor([[1, 7, 2, 0], [1, 8, 4, 2]]), torch.tensor([0, 1])
)


def module(spec: TextSpec = SPEC, **switches: Any) -> TransformerModule:
    torch.manual_seed(0)
    return TransformerModule(spec, Decoding(), **{**SMALL, **switches})


@pytest.mark.parametrize("chunked", [False, True])
def test_the_loss_is_torch_s_smoothed_cross_entropy_of_real_tokens(chunked: bool) -> None:
    model = module(label_smoothing=0.2, dropout=0.0)
    model.chunked = chunked
    measured = model.measure(BATCH)
    logits = model.net(BATCH.source, BATCH.target[:, :-1])
    loss = torch.nn.CrossEntropyLoss(ignore_index=0, label_smoothing=0.2, reduction="sum")
    want = loss(logits.flatten(0, 1), BATCH.target[:, 1:].flatten())
    torch.testing.assert_close(measured.objective, want)
    assert float(measured.weight) == 5


def test_the_same_step_of_the_same_seed_has_the_same_gradients() -> None:
    model = module(dropout=0.3, attention_dropout=0.3, activation_dropout=0.3)
    gradients = []
    for step in (4, 5, 4):
        reseed(model.net, 7, step)
        torch.manual_seed(len(gradients))  # the global generator has no say
        objective = model.measure(BATCH).objective
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(objective, list(model.parameters()))]))
    assert torch.equal(gradients[0], gradients[2])
    assert not torch.allclose(gradients[0], gradients[1])


def test_auto_ties_what_one_vocabulary_allows() -> None:
    joint, separate = module(), module(TextSpec(9, 9, 0, 1, 2, 3))
    assert joint.net.source_embedding.weight is joint.net.output.weight
    assert separate.net.source_embedding.weight is not separate.net.output.weight
    assert separate.net.target_embedding.weight is separate.net.output.weight
    with pytest.raises(ConfigError, match="tie_embeddings=all"):
        module(TextSpec(9, 9, 0, 1, 2, 3), tie_embeddings="all")


def test_a_run_learns_the_toy_pairs_and_leaves_the_weights_of_every_head(
    train: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    result = train(
        "data=toy_pairs", "model=transformer", "trainer=cpu", "trainer.max_epochs=60", "model.hidden_size=32",
        "model.encoder_layers=1", "model.decoder_layers=2", "model.dropout=0", "optimizer.lr=3e-3", "logger=none",
    )  # fmt: skip
    assert result["metrics"]["train/exact_match"] == 1.0
    rows = json.loads((tmp_path / "run" / "artifacts" / "attention_maps.json").read_text())
    row = next(row for row in rows if row["split"] == "train")
    assert row["target"][-1] == "<eos>"
    assert row["inputs"] == ["<bos>", *row["target"][:-1]]
    S, T = len(row["source"]), len(row["target"])
    for name, layers, rows_, columns in (("encoder", 1, S, S), ("decoder", 2, T, T), ("cross", 2, T, S)):
        weights = torch.tensor(row[name])
        assert tuple(weights.shape) == (layers, 4, rows_, columns)
        torch.testing.assert_close(weights.sum(-1), torch.ones(layers, 4, rows_), atol=2e-3, rtol=0)


def test_the_same_run_twice_gives_the_same_metrics_bit_for_bit(train: Callable[..., dict[str, Any]]) -> None:
    settings = (
        "data=toy_pairs", "model=transformer", "trainer=cpu", "model.hidden_size=16", "model.encoder_layers=1",
        "model.decoder_layers=1", "model.dropout=0.2", "model.attention_dropout=0.2", "scheduler=inverse_sqrt",
        "scheduler.warmup_steps=4", "callbacks.average.last=2", "logger=none", "checkpoints=all",
    )  # fmt: skip
    whole = train(*settings, "trainer.max_epochs=4", into="whole")["metrics"]
    again = train(*settings, "trainer.max_epochs=4", into="again")["metrics"]
    assert whole == again


def test_the_transformer_composes_with_any_text_and_its_mistakes_are_named(configure: Callable[..., Any]) -> None:
    from probeta.config.build import check

    check(configure("data=toy_pairs", "model=transformer"))
    check(configure("data=grammar", "model=transformer", "scheduler=inverse_sqrt"))
    with pytest.raises(ConfigError, match=r"model.heads=3 is not accepted: a divisor of model.hidden_size=128"):
        check(configure("data=toy_pairs", "model=transformer", "model.heads=3"))
    with pytest.raises(ConfigError, match=r"model.norm"):
        check(configure("data=toy_pairs", "model=transformer", "model.norm=both"))
