from __future__ import annotations

import pytest
from omegaconf import DictConfig, OmegaConf

from probeta.composition.app import compose_tree
from probeta.composition.unknown_keys import explain_unknown_key
from probeta.errors import ConfigError

NEWCOMERS = {
    "data=moons model=mlp": {
        "epochs": "trainer.max_epochs", "max_epochs": "trainer.max_epochs", "trainer.epochs": "trainer.max_epochs",
        "trainer.num_epochs": "trainer.max_epochs", "lr": "optimizer.lr", "learning_rate": "optimizer.lr",
        "optimizer.learning_rate": "optimizer.lr", "model.lr": "optimizer.lr", "trainer.lr": "optimizer.lr",
        "optimizer.lrr": "optimizer.lr", "batch_size": "data.batch_size", "trainer.batch_size": "data.batch_size",
        "bs": "data.batch_size", "width": "model.width", "model.hidden_size": "model.width",
        "hidden_dim": "model.width", "depth": "model.depth", "model.num_layers": "model.depth",
        "dropout": "model.dropout", "model.dropout_rate": "model.dropout", "weight_decay": "optimizer.weight_decay",
        "wd": "optimizer.weight_decay", "l2": "optimizer.weight_decay", "momentum": "optimizer.momentum",
        "optim": "optimizer", "dataset": "data", "net": "model", "arch": "model", "exp": "experiment",
        "random_state": "seed", "noise": "data.noise", "n_samples": "data.n_samples", "device": "trainer",
        "gpus": "trainer", "patience": "callbacks.early_stopping.patience", "early-stopping": "patience",
        "clip": "recipe.gradient_clip", "outdir": "output_dir", "activation": "model.activation",
        "workers": "hydra/launcher", "wandb": "logger", "metric": "recipe.monitor", "model.widht": "model.width",
    },
    "model=seq2seq_attn data=toy_pairs": {
        "dropout": "model.decoder.dropout", "model.hidden": "model.hidden_size", "beam": "decoding.beam_size",
        "teacher_forcing": "model.teacher_forcing_ratio", "embedding_dim": "model.encoder.embedding_size",
        "max_len": "decoding.max_length", "model.attn": "model.attention",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=NEWCOMERS)
def composed(request: pytest.FixtureRequest) -> tuple[DictConfig, dict[str, str]]:
    return OmegaConf.create(compose_tree("train", request.param.split())), NEWCOMERS[request.param]


def test_what_newcomers_write_gets_the_key_that_they_mean(composed: tuple[DictConfig, dict[str, str]]) -> None:
    config, meant = composed
    told = {key: str(explain_unknown_key(config, key)) for key in meant}
    assert {key: line for key, line in told.items() if f"{meant[key]}'" not in line.partition("did you mean")[2]} == {}


def test_a_key_that_is_like_none_names_those_beside_it(composed: tuple[DictConfig, dict[str, str]]) -> None:
    told = str(explain_unknown_key(composed[0], "optimizer.qqq"))
    assert "accepted: " in told
    assert "optimizer.lr" in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("epochs=5", "unknown key 'epochs': did you mean 'trainer.max_epochs'"),
        (
            "optimizer.lr=0,1",
            r"-m makes a run of each, .* the decimal point is a point: optimizer\.lr=0\.1",
        ),
        ("data.drop=a,b", r"data.drop=\[a,b\] is one list$"),
    ],
)
def test_a_line_is_refused_in_a_line(line: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        compose_tree("train", ["data=moons", line])
