"""The recurrent translator: against the notebook's arithmetic, under padding, stacking and scheduled sampling."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from probeta.errors import ConfigError
from probeta.nn.attention import Additive, Dot, General, Local, MultiHead, ScaledDot
from probeta.nn.decoder import Decoder
from probeta.nn.decoding import select
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq

ATTENTION: dict[str, Any] = {
    "none": None,
    "additive": Additive,
    "dot": Dot,
    "general": General,
    "scaled_dot": ScaledDot,
    "local": partial(Local, window=1),
    "multi_head": partial(MultiHead, heads=2),
}
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "plain": {},
    "two_layers": {"model": {"layers": 2}},
    "bidirectional": {"encoder": {"bidirectional": True}, "model": {"layers": 2}},
    "two_halves": {"encoder": {"bidirectional": True, "hidden_size": 3}},
    "narrow_encoder": {"encoder": {"hidden_size": 4}},
    "input_feeding": {"decoder": {"input_feeding": True, "readout_size": 5}},
    "tied": {"decoder": {"tied_embeddings": True}},
    "gru": {"model": {"cell": "gru"}},
    "rnn": {"model": {"cell": "rnn"}},
}
SOURCE = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 2, 0, 0], [1, 4, 9, 2, 0]])
TARGET = torch.tensor([[1, 4, 5, 6], [1, 7, 0, 0], [1, 3, 9, 0]])


def build(
    attention: Any = None,
    encoder: dict[str, Any] | None = None,
    decoder: dict[str, Any] | None = None,
    model: dict[str, Any] | None = None,
) -> Seq2Seq:
    torch.manual_seed(5)
    return Seq2Seq(
        10,
        11,
        0,
        6,
        partial(Encoder, **{"embedding_size": 4, **(encoder or {})}),
        partial(Decoder, **{"embedding_size": 4, **(decoder or {})}),
        attention,
        **(model or {}),
    ).double()


def variant(name: str, attention: str = "additive", **decoder: Any) -> Seq2Seq:
    parts = VARIANTS[name]
    return build(
        ATTENTION[attention], parts.get("encoder"), {**parts.get("decoder", {}), **decoder}, parts.get("model")
    )


def notebook(net: Seq2Seq, source: Tensor, target: Tensor) -> Tensor:
    """The notebook's loop for one unpadded sentence, on torch's own LSTM modules."""
    encoder = torch.nn.LSTM(4, 6).double()
    width = net.decoder.layer(0).input_size
    decoder = torch.nn.LSTM(width, 6).double()
    with torch.no_grad():
        for module, cell in ((encoder, net.encoder.recurrent.cells[0]), (decoder, net.decoder.layer(0))):
            for theirs, mine in zip(module.parameters(), cell.parameters(), strict=True):
                theirs.copy_(mine)
    outputs, (h, c) = encoder(net.encoder.embedding(source)[:, None])
    logits = []
    for token in target:
        embedded = net.decoder.embedding(token)[None, None]
        attention = net.decoder.attention
        if attention is None:
            out, (h, c) = decoder(embedded, (h, c))
            features = out[0]
        else:
            energy = torch.tanh(attention.query(h[-1]).expand(len(source), 1, 6) + attention.key(outputs))
            alpha = torch.softmax(attention.energy(energy)[..., 0].t(), dim=1)
            context = torch.bmm(alpha[:, None], outputs.transpose(0, 1)).transpose(0, 1)
            out, (h, c) = decoder(torch.cat([embedded, context], 2), (h, c))
            features = torch.cat([out[0], context[0], embedded[0]], 1)
        logits.append(net.decoder.output(features)[0])
    return torch.stack(logits)


@pytest.mark.parametrize("attention", ["none", "additive"])
def test_logits_equal_the_notebooks_loop(attention: str) -> None:
    net = build(ATTENTION[attention])
    logits = net(SOURCE, TARGET)
    for b in range(3):
        s, t = SOURCE[b][SOURCE[b] > 0], TARGET[b][TARGET[b] > 0]
        torch.testing.assert_close(logits[b, : len(t)], notebook(net, s, t))


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize("name", ["plain", "two_halves"])
def test_a_sentence_alone_and_in_a_padded_batch_give_the_same_logits(name: str, attention: str) -> None:
    net = variant(name, attention)
    logits = net(SOURCE, TARGET)
    for b in range(3):
        s, t = SOURCE[b][SOURCE[b] > 0], TARGET[b][TARGET[b] > 0]
        torch.testing.assert_close(logits[b : b + 1, : len(t)], net(s[None], t[None]))


@pytest.mark.parametrize("name", ["bidirectional", "two_halves", "narrow_encoder"])
def test_the_bridge_leads_the_last_states_of_all_directions_to_the_decoders_size(name: str) -> None:
    encoder = variant(name).encoder
    states = encoder.recurrent(encoder.embedding(SOURCE), mask=SOURCE > 0).states
    directions = 1 if name == "narrow_encoder" else 2
    places = [(layer, part) for layer in range(len(states) // directions) for part in range(2)]
    bridge = encoder.bridge
    assert bridge is not None
    assert len(bridge.linears) == len(places)
    found = encoder(SOURCE).states
    for linear, (layer, part) in zip(bridge.linears, places, strict=True):
        both = torch.cat([states[directions * layer + d][part] for d in range(directions)], dim=1)
        assert isinstance(linear, torch.nn.Linear)
        expected = both @ linear.weight.T + linear.bias
        expected = torch.tanh(expected) if part == 0 else expected  # part 1 is the cell state, which has no bounds
        assert expected.shape == (3, 6)
        torch.testing.assert_close(found[layer][part], expected)


@pytest.mark.parametrize("attention", ["none", "additive", "multi_head"])
@pytest.mark.parametrize("name", VARIANTS)
def test_step_by_step_equals_the_whole_pass(name: str, attention: str) -> None:
    net = variant(name, attention)
    memory = net.encode(SOURCE)
    whole = net.decode(memory, TARGET, need_weights=True)
    logits = net.project(whole.features)
    state = net.start(memory)
    for t in range(4):
        now, weights, state = net.step(TARGET[:, t], state)
        torch.testing.assert_close(now, logits[:, t])
        if whole.attention is not None:
            torch.testing.assert_close(weights, whole.attention[:, t])


@pytest.mark.parametrize("attention", ["none", "additive", "local", "multi_head"])
@pytest.mark.parametrize("name", [*VARIANTS, "readout"])
@torch.no_grad()
def test_prefixes_of_one_sentence_step_as_sentences_of_their_own(name: str, attention: str) -> None:
    net = variant("plain", attention, readout_size=5) if name == "readout" else variant(name, attention)
    rows = torch.tensor([0, 0, 1, 1, 2, 2])
    alone = net.start(net.encode(SOURCE[rows]))
    together = net.start(net.encode(SOURCE), net.prepare(2))
    together = select(together, rows)
    for token in torch.tensor([[1, 1, 1, 1, 1, 1], [4, 5, 6, 7, 8, 9]]):
        want, weights, alone = net.step(token, alone)
        logits, mine, together = net.step(token, together)
        torch.testing.assert_close(logits, want)
        torch.testing.assert_close(mine, weights)


@pytest.mark.parametrize("name", VARIANTS)
def test_free_steps_read_the_models_own_words(name: str) -> None:
    net = variant(name)
    forced = torch.tensor([True, False, True, False])
    logits = net(SOURCE, TARGET, forced)
    memory = net.encode(SOURCE)
    state, choice = net.start(memory), TARGET[:, 0]
    for t in range(4):
        token = TARGET[:, t] if t == 0 or forced[t] else choice
        now, _, state = net.step(token, state)
        choice = now.argmax(-1)
        torch.testing.assert_close(logits[:, t], now)
    torch.testing.assert_close(net(SOURCE, TARGET, torch.ones(4, dtype=torch.bool)), net(SOURCE, TARGET))


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_is_the_same_on_forced_and_free_words(variational: bool) -> None:
    """Where the model's own words are the reference's, the two paths agree mask by mask."""
    net = variant("two_layers", dropout=0.4, variational=variational).train()
    target = TARGET[:, :1]
    for t in range(1, 4):
        given = torch.cat([target, target.new_zeros(3, 4 - t)], 1)
        choice = net(SOURCE, given)[:, t - 1].argmax(-1)
        target = torch.cat([target, choice[:, None]], 1)
    free = torch.tensor([True, False, False, False])
    torch.testing.assert_close(net(SOURCE, target), net(SOURCE, TARGET, free))


def test_variational_dropout_uses_one_mask_for_all_steps() -> None:
    encoder = Encoder(10, 6, 0, embedding_size=50, dropout=0.5, variational=True).train()
    dropped = encoder.embedding_dropout(torch.ones(2, 7, 50))
    assert (dropped == dropped[:, :1]).all()
    assert (dropped[0] != dropped[1]).any()


@pytest.mark.parametrize("attention", ["none", "additive", "local", "multi_head"])
@pytest.mark.parametrize("name", VARIANTS)
def test_stacked_members_have_the_single_members_gradients(name: str, attention: str) -> None:
    """What a vectorized launcher does: functional_call under vmap and grad, in training."""
    members = [variant(name, attention).train() for _ in range(2)]
    with torch.no_grad():
        for p in members[1].parameters():
            p.mul_(1.1)
    params, buffers = torch.func.stack_module_state(members)

    def loss(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
        out: Tensor = torch.func.functional_call(members[0], (p, b), (SOURCE, TARGET)).logsumexp(-1).sum()
        return out

    grads = torch.func.vmap(torch.func.grad(loss))(params, buffers)
    for k, member in enumerate(members):
        member(SOURCE, TARGET).logsumexp(-1).sum().backward()
        for key, p in member.named_parameters():
            torch.testing.assert_close(grads[key][k], p.grad)


def test_tied_and_shared_embeddings_are_one_matrix() -> None:
    net = Seq2Seq(
        9, 9, 0, 6, partial(Encoder, embedding_size=4), partial(Decoder, embedding_size=4, tied_embeddings=True),
        Additive, shared_embeddings=True,
    )  # fmt: skip
    assert net.encoder.embedding.weight is net.decoder.embedding.weight is net.decoder.output.weight
    with pytest.raises(ConfigError, match="one vocabulary"):
        Seq2Seq(
            9, 8, 0, 6, partial(Encoder, embedding_size=4), partial(Decoder, embedding_size=4), shared_embeddings=True
        )


def test_a_readout_that_cannot_be_tied_is_refused() -> None:
    with pytest.raises(ConfigError, match="readout_size=7"):
        Decoder(9, 6, embedding_size=4, readout_size=7, tied_embeddings=True)
