"""Recurrent layers on a graphics processor: all steps of a layer, in both directions, in one call of cuDNN.

The numbers are those of `nn.rnn.RecurrentLayer`. A loop over steps spends its time there on starting kernels.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from probeta.nn.cpu import handwritten
from probeta.nn.cpu.matmul import product_dtype

if TYPE_CHECKING:
    from probeta.nn.rnn import CellState, Recurrent

# Weights that share no block are copied into one at each call, which costs less than a step of the loop.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")

LAYERS: dict[str, Any] = {"rnn": torch.rnn_tanh, "gru": torch.gru, "lstm": torch.lstm}


def covers(x: Tensor) -> bool:
    """Whether `run_layers` applies: on a GPU with cuDNN, where autograd is asked for first derivatives alone."""
    return x.is_cuda and torch.backends.cudnn.enabled and torch.backends.cudnn.is_available() and handwritten()


def lengths_of(mask: Tensor) -> Tensor | None:
    """`mask (B, T)` → real steps of each sequence, on the CPU; `None` where one is empty or has padding before it."""
    lengths = mask.sum(1)
    aligned = (mask == (torch.arange(mask.shape[1], device=mask.device) < lengths[:, None])).all(1)
    real: Tensor = torch.where(aligned, lengths, 0).cpu()
    return real if bool(real.all()) else None


def run_layers(
    recurrent: Recurrent, x: Tensor, states: Sequence[CellState] | None, mask: Tensor | None, lengths: Tensor
) -> tuple[Tensor, tuple[CellState, ...]]:
    """The outputs and final states of `Recurrent.forward`; `lengths (B,)` are the real steps, which come first."""
    final: list[CellState] = []
    # Autocast would run cuDNN in float16, whatever dtype it was asked for.
    low = product_dtype(x.device.type) or x.dtype
    directions = recurrent.directions
    for i in range(recurrent.layers):
        x = recurrent.dropout[i - 1](x) if i else x
        places = range(i * directions, (i + 1) * directions)
        cells = [recurrent.layer(place) for place in places]
        given = [cell.initial(x) if states is None else states[p] for cell, p in zip(cells, places, strict=True)]
        start = [torch.stack(part) for part in zip(*given, strict=True)]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        weights = [weight for cell in cells for weight in cell.parameters()]
        with torch.autocast(x.device.type, enabled=False):
            data, *ends = LAYERS[recurrent.cell](
                packed.data.to(low),
                packed.batch_sizes,
                _ordered([part.to(low) for part in start], packed.sorted_indices),
                [weight.to(low) for weight in weights],
                cells[0].bias_ih is not None,
                1,
                0.0,
                torch.is_grad_enabled(),  # cuDNN keeps what a backward pass needs only if told that this is training
                directions == 2,
            )
        outputs, _ = pad_packed_sequence(
            PackedSequence(data.to(x.dtype), packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices),
            batch_first=True,
            total_length=x.shape[1],
        )
        ends = [end.to(x.dtype).index_select(1, packed.unsorted_indices) for end in ends]
        if mask is not None:
            # Over padding the last state is held: reading forwards the final one, backwards the initial one.
            held = torch.cat([ends[0][0], *start[0][1:]], dim=-1)
            outputs = torch.where(mask[..., None], outputs, held[:, None])
        x = outputs
        final += zip(*(end.unbind() for end in ends), strict=True)
    return x, tuple(final)


def _ordered(start: list[Tensor], order: Tensor | None) -> Tensor | list[Tensor]:
    """Initial states `(D, B, H)` in the packed order of sequences: one for RNN and GRU, a list of two for an LSTM."""
    parts = start if order is None else [part.index_select(1, order) for part in start]
    return parts[0] if len(parts) == 1 else parts
