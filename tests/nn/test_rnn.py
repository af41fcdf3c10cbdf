"""The explicit loop against torch's kernels, and what only the explicit loop can do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from probeta.errors import ConfigError
from probeta.nn.rnn import Recurrent, RecurrentLayer

TORCH = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def pair(
    cell: str, layers: int, bidirectional: bool, dtype: torch.dtype = torch.float64
) -> tuple[Recurrent, nn.RNNBase]:
    torch.manual_seed(3)
    theirs = TORCH[cell](5, 7, layers, batch_first=True, bidirectional=bidirectional).to(dtype)
    mine = Recurrent(cell, 5, 7, layers, bidirectional).to(dtype)
    with torch.no_grad():
        for to, weight in zip(mine.weights(), theirs.parameters(), strict=True):
            to.copy_(weight)
    return mine, theirs


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", TORCH)
def test_same_weights_give_torchs_outputs_states_and_gradients(cell: str, layers: int, bidirectional: bool) -> None:
    mine, theirs = pair(cell, layers, bidirectional)
    x = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    run = mine(x)
    outputs, final = theirs(x)
    final = final if cell == "lstm" else (final,)
    torch.testing.assert_close(run.outputs, outputs)
    for part, whole in enumerate(final):
        torch.testing.assert_close(torch.stack([s[part] for s in run.states]), whole)
    pull = torch.randn_like(outputs)
    got = torch.autograd.grad((run.outputs * pull).sum(), [x, *mine.weights()])
    want = torch.autograd.grad((outputs * pull).sum(), [x, *theirs.parameters()])
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", TORCH)
def test_padding_changes_no_output_and_no_state(cell: str, bidirectional: bool, fused: bool) -> None:
    mine, _ = pair(cell, 2, bidirectional)
    mine.fused = fused
    x = torch.randn(3, 6, 5, dtype=torch.float64)
    lengths = [6, 2, 3]
    mask = torch.arange(6)[None] < torch.tensor(lengths)[:, None]
    padded = mine(x, mask=mask)
    for b, n in enumerate(lengths):
        alone = mine(x[b : b + 1, :n])
        torch.testing.assert_close(padded.outputs[b : b + 1, :n], alone.outputs)
        for state, single in zip(padded.states, alone.states, strict=True):
            for part, other in zip(state, single, strict=True):
                torch.testing.assert_close(part[b : b + 1], other)


@pytest.mark.parametrize("cell", TORCH)
def test_fused_path_equals_the_loop_from_given_states(cell: str) -> None:
    mine, _ = pair(cell, 2, True)
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    start = [tuple(torch.randn(3, 7, dtype=torch.float64) for _ in range(2 if cell == "lstm" else 1)) for _ in range(4)]
    mask = torch.arange(4)[None] < torch.tensor([2, 4, 3])[:, None]
    loop = mine(x, start, mask)
    mine.fused = True
    fused = mine(x, start, mask)
    torch.testing.assert_close(loop.outputs[mask], fused.outputs[mask])
    torch.testing.assert_close(loop.states, fused.states)


@pytest.mark.parametrize("cell", TORCH)
def test_gradient_at_a_step_is_the_total_derivative(cell: str) -> None:
    """∂L/∂h_t by nudging h_t and running the rest again."""
    layer = RecurrentLayer(cell, 2, 3).double()
    x = torch.randn(1, 5, 2, dtype=torch.float64)
    run = layer(x)
    weight = torch.randn(1, 5, 3, dtype=torch.float64)
    grads = torch.autograd.grad((run.outputs * weight).sum(), run.steps)

    def rest(t: int, h: torch.Tensor) -> torch.Tensor:
        state = layer(x[:, : t + 1]).state
        later = layer(x[:, t + 1 :], (h, *state[1:])).outputs if t < 4 else h[:, None][:, :0]
        return (torch.cat([h[:, None], later], 1) * weight[:, t:]).sum()

    for t in range(5):
        h = run.steps[t].detach()
        for unit in range(3):
            nudge = torch.zeros_like(h)
            nudge[0, unit] = 1e-6
            # An LSTM's cell is held: the derivative is along h alone.
            numeric = (rest(t, h + nudge) - rest(t, h - nudge)) / 2e-6
            torch.testing.assert_close(grads[t][0, unit], numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("cell", TORCH)
def test_members_stacked_by_vmap_equal_members_alone(cell: str) -> None:
    members = [RecurrentLayer(cell, 2, 3) for _ in range(4)]
    params, _ = torch.func.stack_module_state(members)
    x = torch.randn(5, 6, 2)
    mask = torch.arange(6)[None] < torch.tensor([6, 2, 3, 1, 5])[:, None]

    def outputs(p: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(members[0], p, (x, None, mask)).outputs

    stacked = torch.func.vmap(outputs)(params)
    for k, member in enumerate(members):
        torch.testing.assert_close(stacked[k], member(x, None, mask).outputs)


def test_dropout_acts_between_layers_only_in_training() -> None:
    mine = Recurrent("rnn", 2, 3, layers=2, dropout=0.5)
    x = torch.randn(2, 4, 2)
    assert not torch.equal(mine.train()(x).outputs, mine.eval()(x).outputs)
    one = Recurrent("rnn", 2, 3, layers=1, dropout=0.5)
    assert torch.equal(one.train()(x).outputs, one.eval()(x).outputs)


def test_unknown_cells_and_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown cell 'lstn': did you mean 'lstm'\?"):
        RecurrentLayer("lstn", 2, 3)
    with pytest.raises(ConfigError, match="hidden_size=0"):
        RecurrentLayer("lstm", 2, 0)
    with pytest.raises(ConfigError, match="layers=0"):
        Recurrent("gru", 2, 3, layers=0)
