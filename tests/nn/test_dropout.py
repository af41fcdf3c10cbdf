"""Masks that are a function of (seed, step, layer)."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from probeta.errors import ConfigError
from probeta.nn.dropout import Dropout, dropouts, mix, random_bits, reseed


def splitmix64(x: int) -> int:
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    x = (x ^ x >> 27) * 0x94D049BB133111EB & (1 << 64) - 1
    return x ^ (x >> 31)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_the_bits_are_the_quarters_of_a_hashed_counter(count: int) -> None:
    key = -(2**40) - 123456
    words = [splitmix64((i * 0x9E3779B97F4A7C15 ^ key) & (1 << 64) - 1) for i in range((count + 3) // 4)]
    quarters = [word >> shift & 0xFFFF for word in words for shift in (0, 16, 32, 48)]
    assert [bits & 0xFFFF for bits in random_bits(torch.tensor(key), count).tolist()] == quarters[:count]


def test_the_hash_is_splitmix64() -> None:
    # What Vigna's splitmix64.c (public domain) gives first for these seeds.
    assert mix(1234567) & (1 << 64) - 1 == 6457827717110365317
    assert mix(0) & (1 << 64) - 1 == 0xE220A8397B1DCDAF


def test_the_bits_are_uniform() -> None:
    """Chi squared of all 2¹⁶ values, and of the quarters' high bytes in neighbours: within 5 standard deviations."""
    bits = random_bits(torch.tensor(mix(7, 8, 9)), 1 << 22).long() & 0xFFFF
    pairs = (bits[:-1] >> 8 << 8) | bits[1:] >> 8
    for values in (bits, pairs):
        expected = len(values) / 2**16
        chi2 = float(((values.bincount(minlength=1 << 16) - expected) ** 2 / expected).sum())
        assert abs(chi2 - 65535) < 5 * (2 * 65535) ** 0.5


def test_no_mask_of_a_long_run_is_a_window_of_another() -> None:
    """2,000 steps of 4 layers, 2,048 elements each: no two of their 4 million hashes are equal, wherever they stand.

    Independent hashes of 64 bits would be all different in all but one of two million such runs.
    """
    keys = [mix(1, step, layer) for step in range(2000) for layer in range(4)]
    hashes = torch.stack([random_bits(torch.tensor(key), 2048).view(torch.int64) for key in keys])
    assert hashes.unique().numel() == hashes.numel()


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.999])
def test_drops_a_share_p_and_keeps_the_mean(p: float) -> None:
    layer = Dropout(p)
    reseed(layer, 1, 2)
    y = layer(torch.ones(400, 501))
    spread = 5 * (p * (1 - p) / y.numel()) ** 0.5
    assert abs(float((y == 0).double().mean()) - p) < spread + 2**-16
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / (1 - p)), rtol=1e-4, atol=0)


def test_neighbouring_elements_steps_and_layers_are_independent() -> None:
    net = torch.nn.Sequential(Dropout(0.5), Dropout(0.5))
    x = torch.ones(2, 20_001)
    masks = []
    for seed, step in ((0, 0), (0, 1), (1, 0)):
        reseed(net, seed, step)
        masks += [layer(x)[0].sign() for layer in dropouts(net)]
    stacked = torch.stack([*masks, masks[0].roll(1), masks[0].roll(2)])
    correlation = torch.corrcoef(stacked).fill_diagonal_(0)
    assert float(correlation.abs().max()) < 5 / x.shape[1] ** 0.5


def test_the_same_address_gives_the_same_mask_and_the_gradient_its_factor() -> None:
    layer = Dropout(0.4)
    x = torch.randn(5, 7, requires_grad=True)
    reseed(layer, 3, 9)
    y = layer(x)
    reseed(layer, 3, 10)
    assert not torch.equal(layer(x), y)
    reseed(layer, 3, 9)
    assert torch.equal(layer(x), y)
    assert not torch.equal(layer(x, offset=1), y)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(gradient * x, y)


def test_shared_dimensions_have_one_mask() -> None:
    y = Dropout(0.5, shared=(1,))(torch.ones(3, 4, 5))
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert 0 < int((y == 0).sum()) < y.numel()


def test_members_of_an_ensemble_have_the_masks_of_their_single_runs() -> None:
    members = [Dropout(p) for p in (0.2, 0.5, 0.0)]
    for seed, member in enumerate(members):
        member.active = True
        reseed(member, seed, 4)
    x = torch.randn(3, 6, 5)
    state = stack_module_state(members)
    together = vmap(lambda buffers, inputs: functional_call(members[0], ({}, buffers), inputs))(state[1], x)
    for member, inputs, outputs in zip(members, x, together, strict=True):
        assert torch.equal(member(inputs), outputs)


def test_evaluation_is_the_identity_and_a_wrong_p_is_refused() -> None:
    x = torch.randn(3, 2)
    assert Dropout(0.9).eval()(x) is x
    assert Dropout(0.0)(x) is x
    for p in (-0.1, 1.0):
        with pytest.raises(ConfigError, match="0 <= p < 1"):
            Dropout(p)


def test_mix_tells_long_and_negative_words_apart() -> None:
    words = [(0,), (1,), (-1,), (2**40,), (2**40 + 1,), (0, 0), (0, 1), (1, 0)]
    hashes = {mix(*w) for w in words}
    assert len(hashes) == len(words)
    assert all(-(2**63) <= h < 2**63 for h in hashes)
