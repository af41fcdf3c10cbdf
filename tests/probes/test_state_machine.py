"""The tanh net is the three-state machine, and can learn to be."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from probeta.errors import ConfigError
from probeta.probes.state_machine import (
    RecurrentUnit,
    StateMachineProbe,
    encode_inputs,
    expected_states,
    random_inputs,
    read,
)

NEXT = {(-1, 1): -1, (-1, -1): 0, (0, 1): -1, (0, -1): 1, (1, -1): 1, (1, 1): 0}
"""The diagram: (state, input) → state."""


def test_the_example_of_the_notebook_from_state_0() -> None:
    x = encode_inputs([1, 1, -1, -1, 1, 1])
    assert read(RecurrentUnit.fixed().run(x)).tolist() == [[[-1, -1, 0, 1, 0, -1]]]


def test_the_rule_is_the_diagram() -> None:
    for word in itertools.product((-1, 1), repeat=7):
        state, states = 0, []
        for letter in word:
            state = NEXT[state, letter]
            states.append(state)
        assert expected_states(encode_inputs(word)).tolist() == [states]


def test_the_net_follows_the_machine_over_long_random_words() -> None:
    x = random_inputs(5, 300, torch.Generator().manual_seed(0))
    assert torch.equal(read(RecurrentUnit.fixed().run(x))[0], expected_states(x))


def test_the_states_are_those_of_a_plain_loop() -> None:
    h, word = 0.0, [1, -1, -1, 1, 1]
    states = RecurrentUnit.fixed(-1.5, 2.0, 0.1).run(encode_inputs(word))[0, 0]
    for letter, found in zip(word, states, strict=True):
        h = math.tanh(-1.5 * letter + 2.0 * h + 0.1)
        assert float(found) == pytest.approx(h)


def test_some_start_learns_a_net_that_is_right_on_longer_words() -> None:
    learned = StateMachineProbe(restarts=8, updates=300, sequences=32).learn(0)
    best = int(learned.losses[:, -1].argmin())
    assert float(learned.accuracy[best]) == 1.0
    assert float(learned.cell.w_xh[best]) < 0 < float(learned.cell.w_hh[best])
    assert learned.path.shape == (301, 8, 3)


def test_a_start_learns_the_same_alone_as_among_others() -> None:
    """Against torch's own tanh cell and Adam, one net at a time."""
    together = StateMachineProbe(restarts=3, updates=20, sequences=4, length=5).learn(3)
    generator = torch.Generator().manual_seed(3)
    x = random_inputs(4, 5, generator)
    for k in range(3):
        cell = torch.nn.RNNCell(1, 1, dtype=torch.float64)
        with torch.no_grad():
            cell.weight_ih.fill_(float(together.start.w_xh[k]))
            cell.weight_hh.fill_(float(together.start.w_hh[k]))
            cell.bias_ih.fill_(float(together.start.b[k]))
            cell.bias_hh.zero_()
        optimizer = torch.optim.Adam([cell.weight_ih, cell.weight_hh, cell.bias_ih], lr=0.1)
        for _ in range(20):
            h, states = torch.zeros(4, 1, dtype=torch.float64), []
            for t in range(5):
                h = cell(x[:, t : t + 1], h)
                states.append(h[:, 0])
            loss = ((torch.stack(states, 1) - expected_states(x)) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert float(together.cell.w_xh[k]) == pytest.approx(cell.weight_ih.item(), rel=1e-6)
        assert float(together.cell.w_hh[k]) == pytest.approx(cell.weight_hh.item(), rel=1e-6)


def test_other_letters_and_empty_words_are_refused() -> None:
    for word in ([], [1, 0], [2]):
        with pytest.raises(ConfigError, match=r"probe\.inputs"):
            encode_inputs(word)
    with pytest.raises(ConfigError, match=r"probe\.restarts"):
        StateMachineProbe(restarts=-1)
