"""The Transformer against `torch.nn.Transformer`, against itself without padding and without a cache."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from probeta.errors import ConfigError
from probeta.nn.decoding import beam_search, greedy
from probeta.nn.dropout import reseed
from probeta.nn.multi_head import additive_mask
from probeta.nn.transformer import Transformer

PAD, BOS, EOS = 0, 1, 2
SOURCE = torch.tensor([[1, 5, 6, 7, 3, 2], [1, 8, 2, 0, 0, 0], [1, 4, 9, 9, 2, 0]])
TARGET = torch.tensor([[1, 3, 4, 5, 6], [1, 6, 6, 0, 0], [1, 8, 3, 0, 0]])
SWITCHES: list[dict[str, Any]] = [
    {},
    {"norm": "post", "activation": "gelu", "tie_embeddings": "all"},
    {"norm": "none", "tie_embeddings": "none"},
    {"residual": False, "heads": 1},
    {"positions": "rotary"},
    {"positions": "learned", "feed_forward": 0},
    {"positions": "none", "encoder_layers": 0, "decoder_layers": 1},
]


def model(seed: int = 0, **switches: Any) -> Transformer:
    torch.manual_seed(seed)
    settings = {"hidden_size": 12, "encoder_layers": 3, "decoder_layers": 2, "heads": 3, "feed_forward": 7, **switches}
    net = Transformer(10, 10, PAD, **settings)
    with torch.no_grad():
        for p in net.parameters():  # zero biases and unit gains would hide a missing one
            p.add_(0.3 * torch.randn_like(p))
    return net.double().eval()


def copy_attention(theirs: nn.MultiheadAttention, weight: Tensor, bias: Tensor, output: nn.Linear) -> None:
    theirs.in_proj_weight.copy_(weight)
    theirs.in_proj_bias.copy_(bias)
    theirs.out_proj.load_state_dict(output.state_dict())


@torch.no_grad()
def torch_twin(net: Transformer, norm: str) -> nn.Transformer:
    """`torch.nn.Transformer` with the same weights."""
    D, pre = net.hidden_size, norm == "pre"
    twin = nn.Transformer(D, 3, 3, 2, 7, 0.0, batch_first=True, norm_first=pre).double().eval()
    for mine, theirs in zip(net.encoder.layers, twin.encoder.layers, strict=True):
        packed = mine.attention.query_key_value
        copy_attention(theirs.self_attn, packed.weight, packed.bias, mine.attention.output)
        theirs.linear1.load_state_dict(mine.feed_forward.widen.state_dict())
        theirs.linear2.load_state_dict(mine.feed_forward.narrow.state_dict())
        theirs.norm1.load_state_dict(mine.attention_sublayer.norm.state_dict())
        theirs.norm2.load_state_dict(mine.feed_forward_sublayer.norm.state_dict())
    joint = net.decoder.source_keys_values
    kv = zip(joint.weight.split(2 * D), joint.bias.split(2 * D), strict=True)
    for mine, theirs, (weight, bias) in zip(net.decoder.layers, twin.decoder.layers, kv, strict=True):
        packed, query = mine.attention.query_key_value, mine.cross.query
        copy_attention(theirs.self_attn, packed.weight, packed.bias, mine.attention.output)
        copy_attention(
            theirs.multihead_attn, torch.cat([query.weight, weight]), torch.cat([query.bias, bias]), mine.cross.output
        )
        theirs.linear1.load_state_dict(mine.feed_forward.widen.state_dict())
        theirs.linear2.load_state_dict(mine.feed_forward.narrow.state_dict())
        theirs.norm1.load_state_dict(mine.attention_sublayer.norm.state_dict())
        theirs.norm2.load_state_dict(mine.cross_sublayer.norm.state_dict())
        theirs.norm3.load_state_dict(mine.feed_forward_sublayer.norm.state_dict())
    if pre:
        twin.encoder.norm.load_state_dict(net.encoder.norm.state_dict())
        twin.decoder.norm.load_state_dict(net.decoder.norm.state_dict())
    else:  # torch adds a norm at the end of each stack, which post-norm has already
        twin.encoder.norm = twin.decoder.norm = None
    return twin


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_equals_torchs_transformer_with_the_same_weights(norm: str, training: bool) -> None:
    net = model(norm=norm, dropout=0.0).train(training)
    twin = torch_twin(net, norm).train(training)
    features = net.decode(net.encode(SOURCE), TARGET).features
    source = net.positions(net.source_embedding(SOURCE) * 12**0.5)
    padding = SOURCE == PAD
    future = torch.ones(5, 5, dtype=torch.bool).triu(1)
    want = twin(
        source, net.embed_target(TARGET), tgt_mask=future,
        src_key_padding_mask=padding, memory_key_padding_mask=padding,
    )  # fmt: skip
    torch.testing.assert_close(features, want)
    if training:
        mine = torch.autograd.grad(features.square().sum(), net.source_embedding.weight)
        theirs = torch.autograd.grad(want.square().sum(), net.source_embedding.weight)
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("switches", SWITCHES)
@torch.no_grad()
def test_a_sentence_alone_and_in_a_padded_batch_give_the_same_logits(switches: dict[str, Any]) -> None:
    net = model(**switches)
    together = net(SOURCE, TARGET)
    for b in range(len(SOURCE)):
        source, target = (x[b : b + 1, x[b] != PAD] for x in (SOURCE, TARGET))
        torch.testing.assert_close(together[b : b + 1, : target.shape[1]], net(source, target))


@pytest.mark.parametrize("switches", SWITCHES)
@torch.no_grad()
def test_cached_steps_give_the_logits_and_weights_of_the_full_pass(switches: dict[str, Any]) -> None:
    net = model(**switches)
    memory = net.encode(SOURCE)
    decoded = net.decode(memory, TARGET, need_weights=True)
    assert decoded.attention is not None
    logits, state = net.project(decoded.features), net.start(memory)
    for t in range(TARGET.shape[1]):
        step, weights, state = net.step(TARGET[:, t], state)
        torch.testing.assert_close(step, logits[:, t])
        torch.testing.assert_close(weights, decoded.attention[:, t])


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
@torch.no_grad()
def test_greedy_with_the_cache_is_greedy_without(positions: str) -> None:
    net = model(positions=positions)
    for b, hypothesis in enumerate(greedy(net, SOURCE, 7, bos_id=BOS, eos_id=EOS)):
        tokens = [BOS]
        while len(tokens) <= 7 and tokens[-1] != EOS:
            logits = net(SOURCE[b : b + 1], torch.tensor([tokens]))[0, -1]
            logits[[PAD, BOS]] = -torch.inf
            tokens.append(int(logits.argmax()))
        assert hypothesis.tokens == [t for t in tokens if t not in (BOS, EOS)]


def test_beam_one_is_greedy() -> None:
    net = model(positions="rotary")
    search = partial(beam_search, net, SOURCE, 6, bos_id=BOS, eos_id=EOS, alpha=0.0)
    want = [h.tokens for h in greedy(net, SOURCE, 6, bos_id=BOS, eos_id=EOS)]
    assert [h[0].tokens for h in search(beam_size=1)] == want


@torch.no_grad()
def test_without_forcing_each_input_is_the_argmax_after_the_prefix() -> None:
    net = model()
    forced = torch.tensor([True, False, True, False, False])
    inputs = TARGET.clone()
    for t in (1, 3, 4):
        inputs[:, t] = net(SOURCE, inputs[:, :t])[:, -1].argmax(-1)
    assert not torch.equal(inputs, TARGET)
    torch.testing.assert_close(net(SOURCE, TARGET, forced), net(SOURCE, inputs))


def test_own_inputs_are_chosen_without_dropout_and_the_pass_over_them_has_it() -> None:
    net = model(dropout=0.4).train()
    reseed(net, 0, 0)
    memory, nothing = net.encode(SOURCE), torch.zeros(5, dtype=torch.bool)
    inputs = net.own_inputs(memory, TARGET, nothing)
    reseed(net, 0, 1)
    assert torch.equal(net.own_inputs(memory, TARGET, nothing), inputs)
    features = net.decode(memory, TARGET, forced=nothing).features
    torch.testing.assert_close(features, net.decode(memory, inputs).features)
    reseed(net, 0, 2)
    assert not torch.allclose(features, net.decode(memory, inputs).features)
    assert features.requires_grad


def test_gradients_match_finite_differences() -> None:
    net = model(positions="rotary", norm="post", encoder_layers=1, decoder_layers=1, activation="gelu")
    names, values = zip(*net.named_parameters(), strict=True)

    def loss(*parameters: Tensor) -> Tensor:
        return functional_call(net, dict(zip(names, parameters, strict=True)), (SOURCE[1:, :5], TARGET[1:, :3])).sum(-1)

    assert torch.autograd.gradcheck(loss, tuple(v.detach().requires_grad_() for v in values), fast_mode=True)


@torch.no_grad()
def test_all_maps_are_distributions_that_leave_out_padding_and_the_future() -> None:
    net = model()
    maps = net.attention_maps(SOURCE, TARGET)
    assert [tuple(m.shape) for m in maps] == [(3, 3, 3, 6, 6), (3, 2, 3, 5, 5), (3, 2, 3, 5, 6)]
    for weights in maps:
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)))
    assert float(maps.decoder.triu(1).abs().max()) == 0
    for weights in (maps.encoder, maps.cross):
        assert float(weights.movedim(-1, 1)[SOURCE == PAD].abs().max()) == 0
    last = net.decode(net.encode(SOURCE), TARGET, need_weights=True).attention
    torch.testing.assert_close(last, maps.cross[:, -1].mean(1))


def test_members_of_an_ensemble_are_their_single_runs() -> None:
    switches = {"dropout": 0.3, "attention_dropout": 0.2, "activation_dropout": 0.1}
    members = [model(seed, **switches).train() for seed in range(3)]
    for seed, member in enumerate(members):
        reseed(member, seed, 5)
    parameters, buffers = stack_module_state(members)

    def run(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
        return functional_call(members[0], (p, b), (SOURCE, TARGET))

    together = vmap(run)(parameters, buffers)
    for member, logits in zip(members, together, strict=True):
        torch.testing.assert_close(logits, member(SOURCE, TARGET))


@pytest.mark.parametrize(("tie", "count"), [("none", 3), ("target", 2), ("all", 1)])
def test_tied_embeddings_are_one_parameter(tie: str, count: int) -> None:
    net = model(tie_embeddings=tie)
    matrices = [p for name, p in net.named_parameters() if "embedding" in name or name == "output.weight"]
    assert len(matrices) == count
    again = model(seed=1, tie_embeddings=tie)
    again.load_state_dict(net.state_dict())
    torch.testing.assert_close(again(SOURCE, TARGET), net(SOURCE, TARGET))
    net(SOURCE, TARGET).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_the_tiny_size_has_the_papers_number_of_parameters() -> None:
    net = Transformer(10_000, 10_000, PAD, tie_embeddings="all")
    assert round(sum(p.numel() for p in net.parameters()) / 1e6, 1) == 2.6


def test_a_mask_is_additive_and_finite() -> None:
    mask = additive_mask(torch.tensor([True, False]), torch.float32)
    assert mask.tolist() == [0.0, torch.finfo(torch.float32).min]


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        ({"heads": 5}, "model.heads=5"),
        ({"norm": "prae"}, "did you mean 'pre'"),
        ({"positions": "sinusoid"}, "did you mean 'sinusoidal'"),
        ({"activation": "rulu"}, "did you mean 'relu'"),
        ({"feed_forward": -1}, "model.feed_forward=-1"),
        ({"decoder_layers": 0}, "model.decoder_layers=0"),
        ({"hidden_size": 0}, "model.hidden_size=0"),
        ({"tie_embeddings": "both"}, "accepted: all, none, target"),
        ({"dropout": 1.0}, "dropout=1.0"),
    ],
)
def test_wrong_settings_are_refused(switches: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Transformer(10, 10, PAD, **switches)


def test_two_vocabularies_are_not_tied() -> None:
    with pytest.raises(ConfigError, match="10 and 11"):
        Transformer(10, 11, PAD, tie_embeddings="all")
