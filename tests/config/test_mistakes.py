"""Every mistake that a command line can hold is refused before any work, in a line that names key and value."""

from __future__ import annotations

import pytest

from probeta.config.build import check
from probeta.config.switches import check_recipe
from probeta.errors import UserError
from probeta.models.decoding import Decoding


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data=moons", "+optimizer.foo=1"], ["optimizer.foo", "accepted"]),
        (["data=moons", "+optimizer.lrr=1"], ["optimizer.lrr", "optimizer.lr"]),
        (["+modle.x=1"], ["modle", "model"]),
        (["data=moons", "+recipe.epochs=3"], ["recipe.epochs", "recipe.max_epochs"]),
        (["data=moons", "model.dropout=1.5"], ["model.dropout=1.5", "0 <= p < 1"]),
        (["data=moons", "model.width=0"], ["model.width=0", "from 1"]),
        (["data=moons", "model.width=2.5"], ["model.width=2.5", "whole number"]),
        (["data=moons", "model.activation=rellu"], ["rellu", "relu"]),
        (["data=moons", "model.class_weight=[1,2,3]"], ["model.class_weight", "2 numbers"]),
        (["data=moons", "data.noise=-1"], ["data.noise=-1", "from 0"]),
        (["data=moons", "data.batch_size=0"], ["data.batch_size=0", "from 1"]),
        (["data=moons", "data.imbalance=2"], ["data.imbalance=2"]),
        (["data=moons", "optimizer.lr=abc"], ["optimizer.lr=abc", "a number"]),
        (["data=moons", "optimizer.lr=-1"], ["optimizer", "-1"]),
        (["data=moons", "scheduler=warmup_cosine", "scheduler.warmup=2"], ["scheduler.warmup=2"]),
        (["data=moons", "scheduler=cosine", "scheduler.interval=batch"], ["scheduler.interval=batch", "step or epoch"]),
        (["data=moons", "callbacks.early_stopping.patience=0"], ["callbacks.early_stopping.patience=0"]),
        (["data=moons", "callbacks.gradient_norm.every_n_steps=0"], ["every_n_steps=0"]),
        (["data=moons", "model=seq2seq"], ["sentence pairs", "points"]),
        (["data=toy_pairs", "model=mlp"], ["points", "sentence pairs"]),
        (["data=random_sequences", "model=mlp"], ["points", "sequences"]),
        (["data=separable", "optimizer=sgd"], ["optimizer=none"]),
        (["data=moons", "optimizer=none"], ["optimizer=none", "sgd"]),
        (["data=moons", "seed=-1"], ["seed=-1"]),
        (["data=moons", "seeds.init=-1"], ["seeds.init=-1", "from 0 to 4294967295", "or null to follow seed"]),
        (["data=moons", "seeds.order=4294967296"], ["seeds.order=4294967296", "from 0 to 4294967295"]),
        (["data=moons", "seeds.noise=true"], ["seeds.noise=True", "a whole number"]),
        (["data=moons", "+seeds.dropout=1"], ["seeds.dropout", "seeds.noise"]),
        (["data=moons", "seeds=3"], ["seeds=3", "seeds.init", "seed=range("]),
        (["data=moons", "checkpoints=some"], ["checkpoints=some", "all or best or none"]),
        (["data=moons", "recipe.monitor=val/accuracy"], ["recipe.monitor", "val/accuracy", "val/acc"]),
        (["data=moons", "recipe.monitor=val/acc", "recipe.mode=min"], ["mode=min", "val/acc", "max"]),
        (["data=moons", "recipe.monitor=val/bleu"], ["val/bleu", "val/loss"]),
        (["data=separable", "callbacks.early_stopping.monitor=val/errors"], ["early_stopping.monitor", "val/errors"]),
        (["data=moons", "scheduler=plateau", "scheduler.monitor=test/loss"], ["scheduler.monitor", "test/loss"]),
        (["model.teacher_forcing_ratio=2"], ["model.teacher_forcing_ratio=2"]),
        (["decoding.max_length=0"], ["decoding.max_length=0"]),
        (["model.decoder.dropout=1"], ["dropout"]),
        (["model.hidden_size=0"], ["hidden_size=0"]),
        (["+model.encoder.cell=gru"], ["model.encoder.cell", "decided for all parts together (model.cell"]),
        (["+model.decoder.vocab_size=9"], ["model.decoder.vocab_size"]),
        (["+attention.query_size=9"], ["attention.query_size"]),
        (["data=grammar", "model=transformer", "attention=dot"], ["attention", "attention=none"]),
        (["data=grammar", "data.split=length", "data.length_cut=24"], ["data.length_cut=24", "data.max_length=24"]),
        (["decoding.length_norm=mean"], ["decoding.length_norm=mean", "gnmt or length"]),
        (
            ["data=grammar", "model=transformer", "model.positions=learned", "model.max_positions=20"],
            ["model.max_positions=20", "decoding.max_length=100"],
        ),
        (["data=moons", "trainer.max_epochs=-1", "scheduler=cosine"], ["trainer.max_epochs=-1", "last step"]),
        (
            [
                "data=moons",
                "trainer.max_epochs=-1",
                "+trainer.max_steps=9",
                "scheduler=cosine",
                "scheduler.interval=epoch",
            ],
            ["trainer.max_epochs=-1", "last epoch"],
        ),
        (["data=moons", "+trainer.limit_val_batches=0"], ["recipe.monitor", "val/loss"]),
        (["data=moons", "trainer.gradient_clip_val=-1"], ["trainer.gradient_clip_val=-1", "from 0"]),
        (["data=moons", "trainer.precision=bf16-true"], ["trainer.precision=bf16-true", "bf16-mixed"]),
        (["decoding.length_penalty=inf"], ["length_penalty=inf", "from 0"]),
        (["decoding.length_penalty=nan"], ["decoding.length_penalty=nan", "a number"]),
        (["data=moons", "model._target_=os.system"], ["os.system", "trust"]),
        (["data=moons", "+model._args_=[1]"], ["model._args_", "model.width"]),
        (["data=moons", "model.width=${nowhere}"], ["nowhere"]),
    ],
)
def test_a_mistake_is_named_with_what_is_accepted(configure, overrides: list[str], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        check(configure(*overrides))
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert message.count("\n") <= 1


def test_a_recipe_s_value_that_reaches_nothing_is_refused(configure) -> None:
    overrides = ["data=grammar", "model=transformer", "recipe.hidden_size=64", "recipe.decode_every=2"]
    with pytest.raises(UserError, match=r"recipe.hidden_size=64 is not used: nothing .* refers to recipe.hidden_size"):
        check_recipe(configure(*overrides), overrides)
    check_recipe(configure("data=grammar", "recipe.hidden_size=64"), ["data=grammar", "recipe.hidden_size=64"])


@pytest.mark.parametrize("data", ["moons", "separable", "random_sequences", "toy_pairs"])
@pytest.mark.parametrize("scheduler", ["none", "cosine", "warmup_cosine", "plateau"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_every_mix_that_makes_sense_composes(configure, data: str, optimizer: str, scheduler: str) -> None:
    overrides = [f"data={data}", f"optimizer={optimizer}", f"scheduler={scheduler}"]
    check(configure(*overrides, *(["model=logistic"] if data == "separable" else [])))


def test_a_choice_of_data_brings_its_own_defaults(configure) -> None:
    toy, moons, text = configure(), configure("data=moons", "model=mlp"), configure("data=parallel_text", "data.root=.")
    assert (toy.trainer.max_epochs, toy.data.batch_size, toy.callbacks.early_stopping.patience) == (200, 4, None)
    assert (moons.data.batch_size, moons.callbacks.early_stopping.monitor) == (None, "val/loss")
    assert moons.optimizer._target_ == "torch.optim.SGD"
    assert moons.trainer.gradient_clip_val is None
    assert text.model.hidden_size > toy.model.hidden_size
    assert text.trainer.max_epochs < 200
    assert (text.callbacks.early_stopping.monitor, text.callbacks.early_stopping.mode) == ("val/bleu", "auto")
    assert "decoding" not in moons or moons.decoding is None


def test_a_last_batch_of_one_is_refused_under_batch_normalisation(configure) -> None:
    from probeta.config.build import build, resolve_config

    with pytest.raises(UserError, match=r"data.batch_size=719 leaves a last batch of one of the 720"):
        build(resolve_config(configure("data=moons", "model.batch_norm=true", "data.batch_size=719")))


def test_seed_zero_is_a_seed(configure) -> None:
    check(configure("data=moons", "seed=0"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_search_takes_no_penalty_that_is_no_number(value: float) -> None:
    """`probeta translate` changes it past the configuration's own check."""
    for key in ("length_penalty", "length_ratio"):
        with pytest.raises(UserError, match=f"{key}="):
            Decoding(**{key: value})
