"""Every net computes the same with the fast paths and without them: values, gradients and translations."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from probeta.models.tiny_rnn import TinyRNNNet
from probeta.nn import cpu
from probeta.nn.attention import Additive, Dot, General, Local, MultiHead, ScaledDot
from probeta.nn.cpu import attention, best_places, matmul
from probeta.nn.decoder import Decoder
from probeta.nn.decoding import Hypothesis, beam_search, greedy
from probeta.nn.dropout import reseed
from probeta.nn.encoder import Encoder
from probeta.nn.loss import projected_cross_entropy
from probeta.nn.mlp import MLP
from probeta.nn.seq2seq import Seq2Seq
from probeta.nn.transformer import Transformer
from probeta.nn.translator import Translator

PAD, BOS, EOS, WORDS = 0, 1, 2, 70
SOURCE = torch.tensor([[1, 5, 6, 7, 3, 2], [1, 8, 2, 0, 0, 0], [1, 4, 9, 9, 2, 0]])
TARGET = torch.tensor([[1, 3, 4, 5, 6, 2], [1, 6, 6, 2, 0, 0], [1, 8, 30, 61, 2, 0]])
NEAR = {torch.float32: (1e-5, 1e-4), torch.float64: (1e-10, 1e-10)}
"""How near values and gradients are, relative to the greatest of each tensor."""


@pytest.fixture(autouse=True)
def _sizes_of_real_nets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast paths are for great tensors: here they are taken for small ones."""
    monkeypatch.setattr(matmul, "SMALL", 0)
    monkeypatch.setattr(matmul, "PACKED", 0)
    monkeypatch.setattr(attention, "LONG", 0)
    monkeypatch.setattr(best_places, "BLOCK", 5)


def recurrent(
    kind: Any = Additive, encoder: dict[str, Any] | None = None, decoder: dict[str, Any] | None = None, **model: Any
) -> Seq2Seq:
    return Seq2Seq(
        10, WORDS, PAD, 6, partial(Encoder, **{"embedding_size": 4, **(encoder or {})}),
        partial(Decoder, **{"embedding_size": 4, **(decoder or {})}), kind, **model,
    )  # fmt: skip


def transformer(**switches: Any) -> Transformer:
    sizes = {"hidden_size": 12, "encoder_layers": 2, "decoder_layers": 2, "heads": 3, "feed_forward": 7}
    return Transformer(10, WORDS, PAD, **{**sizes, **switches})


TRANSLATORS: dict[str, Callable[[], Translator]] = {
    "no attention": partial(recurrent, None),
    "additive": recurrent,
    "dot": partial(recurrent, Dot),
    "general": partial(recurrent, General),
    "scaled dot": partial(recurrent, ScaledDot),
    "local": partial(recurrent, partial(Local, window=1)),
    "multi-head": partial(recurrent, partial(MultiHead, heads=2)),
    "additive, dropout of weights": partial(recurrent, partial(Additive, dropout=0.3)),
    "rnn": partial(recurrent, cell="rnn"),
    "gru": partial(recurrent, cell="gru", layers=2),
    "lstm, two layers": partial(recurrent, layers=2, encoder={"bidirectional": True, "dropout": 0.3}),
    "no attention, gru": partial(recurrent, None, cell="gru"),
    "input feeding": partial(recurrent, decoder={"input_feeding": True, "readout_size": 5, "dropout": 0.2}),
    "tied": partial(recurrent, decoder={"tied_embeddings": True, "output_dropout": 0.2}),
    "read-out": partial(recurrent, encoder={"hidden_size": 3}, decoder={"readout_size": 5, "variational": True}),
    "transformer": transformer,
    "transformer, post-norm": partial(transformer, norm="post", activation="gelu", attention_dropout=0.2),
    "transformer, rotary": partial(transformer, positions="rotary", dropout=0.0, tie_embeddings="none"),
    "transformer, learned": partial(transformer, positions="learned", feed_forward=0),
}
OTHERS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: MLP(5, 3, 8, 2, dropout=0.2),
    "tiny rnn": lambda: TinyRNNNet(5, 3, "rnn"),
    "tiny lstm": lambda: TinyRNNNet(5, 3, "lstm"),
    "tiny gru": lambda: TinyRNNNet(5, 3, "gru"),
}


def make(build: Callable[[], nn.Module], dtype: torch.dtype, training: bool) -> nn.Module:
    torch.manual_seed(3)
    net = build()
    with torch.no_grad():
        for p in net.parameters():  # zero biases and unit gains would hide a missing one
            p.add_(0.2 * torch.randn_like(p))
    reseed(net, 1, 2)
    return net.to(dtype).train(training)


def near(one: Tensor, other: Tensor, tolerance: float, what: str) -> None:
    scale = max(1.0, float(other.detach().abs().max()) if other.numel() else 1.0)
    torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale, msg=lambda text: f"{what}: {text}")


def compare(net: nn.Module, run: Callable[[], dict[str, Tensor]], dtype: torch.dtype) -> None:
    """`run` both ways: what it returns, and the gradients of all of it."""
    value, gradient = NEAR[dtype]
    results = []
    for on in (True, False):
        with cpu.set_enabled(on):
            parts = run()
            net.zero_grad()
            sum((part * torch.linspace(-1, 1, part.numel()).view_as(part)).sum() for part in parts.values()).backward()
        results.append((parts, {k: p.grad.clone() for k, p in net.named_parameters() if p.grad is not None}))
    (fast, fast_grads), (plain, plain_grads) = results
    for key, part in plain.items():
        near(fast[key], part, value, key)
    assert fast_grads.keys() == plain_grads.keys() != set()
    for key, grad in plain_grads.items():
        near(fast_grads[key], grad, gradient, key)


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("name", OTHERS)
def test_classifiers(name: str, dtype: torch.dtype) -> None:
    net = make(OTHERS[name], dtype, training=True)
    x = torch.randn(4, 6, 5, dtype=dtype) if "tiny" in name else torch.randn(4, 5, dtype=dtype)
    compare(net, lambda: {"logits": net(x)}, dtype)
    with torch.no_grad():
        fast = net.eval()(x)
        with cpu.set_enabled(False):
            near(fast, net(x), NEAR[dtype][0], "evaluated")


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("forced", [None, [True, True, False, True, False]])
@pytest.mark.parametrize("name", TRANSLATORS)
def test_translators_in_training(name: str, forced: list[bool] | None, dtype: torch.dtype) -> None:
    net = make(TRANSLATORS[name], dtype, training=True)
    assert isinstance(net, Translator)
    inputs, targets = TARGET[:, :-1], TARGET[:, 1:]
    given = None if forced is None else torch.tensor(forced)

    def run() -> dict[str, Tensor]:
        decoded = net.decode(net.encode(SOURCE), inputs, forced=given)
        loss, _ = projected_cross_entropy(
            decoded.features, net.output_weight, net.output_bias, targets, PAD, 0.1, chunk=4
        )
        return {"features": decoded.features, "logits": net.project(decoded.features), "loss": loss}

    compare(net, run, dtype)


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("search", ["greedy", "beam"])
@pytest.mark.parametrize("name", TRANSLATORS)
def test_translators_in_search(name: str, search: str, dtype: torch.dtype) -> None:
    net = make(TRANSLATORS[name], dtype, training=False)
    assert isinstance(net, Translator)

    def run() -> list[Hypothesis]:
        settings: dict[str, Any] = {"bos_id": BOS, "eos_id": EOS, "need_weights": True}
        if search == "greedy":
            return greedy(net, SOURCE, 8, **settings)
        return [h for each in beam_search(net, SOURCE, 8, beam_size=3, n_best=2, **settings) for h in each]

    fast = run()
    with cpu.set_enabled(False):
        plain = run()
    assert [h.tokens for h in fast] == [h.tokens for h in plain]
    assert any(h.tokens for h in plain)
    for one, other in zip(fast, plain, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert (one.attention is None) == (other.attention is None) == (name.startswith("no attention"))
        if one.attention is not None and other.attention is not None:
            near(one.attention, other.attention, NEAR[dtype][0], "attention")


@pytest.mark.parametrize("name", TRANSLATORS)
def test_what_was_encoded_one_way_is_decoded_the_other(name: str) -> None:
    net = make(TRANSLATORS[name], torch.float64, training=False)
    assert isinstance(net, Translator)
    whole = net(SOURCE, TARGET)
    memory = net.encode(SOURCE)
    state, prepared = net.start(memory), net.start(memory, net.prepare())
    with cpu.set_enabled(False):
        torch.testing.assert_close(net.project(net.decode(memory, TARGET).features), whole)
        plain = net.start(memory)
        for t in range(3):
            first, _, state = net.step(TARGET[:, t], state)
            second, _, prepared = net.step(TARGET[:, t], prepared)
            torch.testing.assert_close(first, whole[:, t])
            torch.testing.assert_close(second, whole[:, t])
    for t in range(3):
        logits, _, plain = net.step(TARGET[:, t], plain)
        torch.testing.assert_close(logits, whole[:, t])


@pytest.mark.parametrize("name", ["additive", "gru", "input feeding", "transformer"])
def test_stacked_members(name: str) -> None:
    """What the vectorized launcher computes, both ways."""
    members = [make(TRANSLATORS[name], torch.float64, training=True) for _ in range(2)]
    with torch.no_grad():
        for p in members[1].parameters():
            p.mul_(1.1)
    params, buffers = torch.func.stack_module_state(members)

    def loss(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
        out: Tensor = torch.func.functional_call(members[0], (p, b), (SOURCE, TARGET)).logsumexp(-1).sum()
        return out

    step = torch.func.vmap(torch.func.grad(loss))
    fast = step(params, buffers)
    with cpu.set_enabled(False):
        plain = step(params, buffers)
    for key, grad in plain.items():
        near(fast[key], grad, 1e-10, key)


FAST = (
    "cpu.scan.LSTMScan.apply",
    "cpu.scan.AttentiveScan.apply",
    "cpu.scan.cell_forward",
    "cpu.matmul.FastLinear.apply",
    "cpu.attention.read_additive",
    "cpu.loss.ProjectedCrossEntropy.apply",
    "cpu.private.linear_pointwise",
    "cpu.stepper.Stepper.__init__",
)
TAKEN = {
    "additive": {0, 1, 2, 3, 5, 6, 7},
    "gru": {3, 4, 5, 6, 7},
    "transformer": {5, 6},
}


@pytest.mark.parametrize("name", TAKEN)
def test_fast_paths_are_taken_with_the_switch_on_and_none_with_it_off(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = make(TRANSLATORS[name], torch.float32, training=True)
    assert isinstance(net, Translator)
    called: set[int] = set()

    def watch(place: int, path: str) -> None:
        owner, _, attribute = f"probeta.nn.{path}".rpartition(".")
        original = getattr(pkgutil.resolve_name(owner), attribute)

        def call(*args: Any, **named: Any) -> Any:
            called.add(place)
            return original(*args, **named)

        monkeypatch.setattr(f"{owner}.{attribute}", call)

    for place, path in enumerate(FAST):
        watch(place, path)
    for on in (True, False):
        called.clear()
        with cpu.set_enabled(on):
            decoded = net.train().decode(net.encode(SOURCE), TARGET)
            loss, _ = projected_cross_entropy(decoded.features, net.output_weight, net.output_bias, TARGET, PAD)
            loss.backward()
            greedy(net.eval(), SOURCE, 5, bos_id=BOS, eos_id=EOS)
        assert called == (TAKEN[name] if on else set())


def test_the_switch_is_the_threads_own_and_ends_with_its_block() -> None:
    seen: list[bool] = []

    def fail() -> None:
        with cpu.set_enabled(False):
            other = Thread(target=lambda: seen.append(cpu.enabled()))
            other.start()
            other.join()
            with cpu.set_enabled(True):
                seen.append(cpu.enabled())
            seen.append(cpu.enabled())
            raise KeyError

    assert cpu.enabled()
    with pytest.raises(KeyError):
        fail()
    assert cpu.enabled()
    assert seen == [True, True, False]


def test_under_a_compiler_the_formulas_are_traced_in_one_graph() -> None:
    net = make(OTHERS["tiny lstm"], torch.float32, training=False)
    x = torch.randn(4, 6, 5)
    with torch.no_grad():
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        near(compiled(x), net(x), 1e-5, "compiled")
