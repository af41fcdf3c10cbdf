"""Recurrent layers and decoders over all steps by `nn.cpu.scan`, where it covers them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from probeta.nn.attention import Additive
from probeta.nn.cpu import handwritten
from probeta.nn.cpu.attention import is_additive
from probeta.nn.cpu.matmul import apply_rounded, linear
from probeta.nn.cpu.scan import LSTMScan, attentive_scan, lstm_scan

if TYPE_CHECKING:
    from probeta.nn.decoder import Decoder, DecoderStart
    from probeta.nn.rnn import CellState, Recurrent, RecurrentLayer


def add_biases(layer: RecurrentLayer) -> Tensor | None:
    """b_ih + b_hh, which an LSTM only reads added."""
    return None if layer.bias_ih is None or layer.bias_hh is None else layer.bias_ih + layer.bias_hh


def scan_layers(
    recurrent: Recurrent, x: Tensor, states: Sequence[CellState] | None, mask: Tensor | None
) -> tuple[Tensor, tuple[CellState, ...]]:
    """The outputs and final states of `Recurrent.forward`, for LSTMs."""
    final: list[CellState] = []
    for i in range(recurrent.layers):
        x = recurrent.dropout[i - 1](x) if i else x
        outputs = []
        for direction in range(recurrent.directions):
            place = i * recurrent.directions + direction
            layer = recurrent.layer(place)
            h, c = layer.initial(x) if states is None else states[place]
            z = linear(x.transpose(0, 1), layer.weight_ih, add_biases(layer))
            run, *state = apply_rounded(LSTMScan, z.device, z, layer.weight_hh, h, c, mask, direction == 1)
            outputs.append(run)
            final.append(tuple(state))
        x = (outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)).transpose(0, 1)
    return x, tuple(final)


def covers(decoder: Decoder) -> bool:
    """Whether `scan_decoder` applies: one LSTM layer, additive or no attention, nothing fed back."""
    attention = decoder.attention
    covered = attention is None or (is_additive(attention) and not (attention.dropout.active and decoder.training))
    one = len(decoder.cells) == 1 and decoder.layer(0).cell == "lstm"
    return one and covered and not decoder.input_feeding and handwritten()


def scan_decoder(
    decoder: Decoder, start: DecoderStart, embedded: Tensor, drop: Tensor | None, taught: Sequence[bool | Tensor]
) -> tuple[Tensor, Tensor | None]:
    """`Decoder.loop`, in one piece for each run of given words."""
    layer, attention = decoder.layer(0), decoder.attention
    split = decoder.splits[0]
    h, c = start.states[0]
    scan: Any = partial(lstm_scan, layer.weight_hh)
    if isinstance(attention, Additive):
        keys, values, mask = start.attended
        weights = (layer.weight_hh, attention.query.weight, attention.energy.weight[0])
        scan = partial(attentive_scan, linear(values, layer.weight_ih[:, split:]), 2 * keys, mask, *weights)
    bias = add_biases(layer)
    parts: list[Tensor] = []
    shown: list[Tensor] = []
    begins = [t for t, given in enumerate(taught) if t == 0 or not given]
    for begin, end in zip(begins, [*begins[1:], len(taught)], strict=True):
        e = embedded[:, begin:end]
        if begin and drop is not None:
            own = decoder.embedding(decoder.choose(parts[-1][:, -1])) * drop[:, begin]
            e = torch.cat([own[:, None], e[:, 1:]], dim=1)
        z = linear(e.transpose(0, 1), layer.weight_ih[:, :split], bias)
        run, c, *alpha = scan(z, h, c)
        h = run[-1]
        context = tuple(torch.bmm(a, start.attended[1]) for a in alpha)
        parts.append(decoder.features(run.transpose(0, 1), context, e))
        shown.extend(alpha)
    features = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return features, torch.cat(shown, dim=1) if shown else None
