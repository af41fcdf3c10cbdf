"""The recurrent decoder word by word, for searches: weights joined and packed once, no gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from probeta.nn.attention import Additive, Attended, Read, read_together
from probeta.nn.cpu.attention import get_query_weight, read_additive, sums_values
from probeta.nn.cpu.matmul import Product
from probeta.nn.decoder import Carry, Decoder, DecoderStart
from probeta.nn.rnn import CellState
from probeta.nn.translator import map_leaves


class Stepper:
    """What `Decoder.predict` computes in eval mode, for sentences of `prefixes` prefixes each.

    W c = W Σ_s α_s m_s = Σ_s α_s (W m_s): where a sentence has several prefixes, its positions are projected to gates
    and read-out once, before the search (`shares`), and a step only sums them.

    Made under autocast, its products run in autocast's dtype; everything between them stays float32, since casting
    the sums over a sentence takes longer than it saves.
    """

    def __init__(self, decoder: Decoder, prefixes: int = 1) -> None:
        self.decoder = decoder
        attention, first, readout = decoder.attention, decoder.layer(0), decoder.readout
        embedded, context, feed = first.weight_ih.split(decoder.splits, dim=1)
        inputs, features = [embedded, context, feed], None if readout is None else readout.weight
        self.shares: Product | None = None
        self.widths: list[int] = []
        if attention is not None and sums_values(attention) and prefixes > 1:
            shares, inputs = [context], [embedded, feed]
            if features is not None:
                output, share, word = features.split([first.hidden_size, *reversed(decoder.splits[:2])], dim=1)
                shares, features = [context, share], torch.cat([output, word], dim=1)
            self.widths = [len(share) for share in shares]
            self.shares = Product(torch.cat(shares))
        layers = [decoder.layer(i) for i in range(len(decoder.cells))]
        weights = [torch.cat(inputs, dim=1), *(layer.weight_ih for layer in layers[1:])]
        self.inputs = [Product(weight, layer.bias_ih) for weight, layer in zip(weights, layers, strict=True)]
        pushes: list[tuple[Tensor, Tensor | None]] = [(layer.weight_hh, layer.bias_hh) for layer in layers]
        asking = None if attention is None else get_query_weight(attention)
        self.asks = asking is not None
        if asking is not None:
            # The last layer's state is both its own input and the attention's query: one product for both.
            weight, bias = pushes[-1]
            bias = None if bias is None else torch.cat([bias, asking.new_zeros(len(asking))])
            pushes[-1] = torch.cat([weight, asking]), bias
        self.hidden = [Product(weight, bias) for weight, bias in pushes]
        self.readout = None if features is None or readout is None else Product(features, readout.bias)
        self.output = Product(decoder.output.weight, decoder.output.bias)

    def begin(self, start: DecoderStart) -> tuple[Attended, Carry]:
        """What a search's state holds of the source alone (keys may be doubled, values projected); the first carry."""
        dtype = self.decoder.embedding.weight.dtype
        carry: Carry = map_leaves(lambda part: part.to(dtype), self.decoder.begin(start))
        if not start.attended:
            return (), carry
        keys, outputs, mask = start.attended
        keys = 2 * keys if self.asks else keys
        values = [outputs] if self.shares is None or self.readout is None else []
        shares = [] if self.shares is None else [self.shares(outputs)]
        shared = torch.cat([*shares, *values], dim=-1).contiguous()
        return (keys.to(dtype), shared.to(dtype), mask), carry

    def reader(self, attended: Attended) -> Read | None:
        """The attention of what `begin` gave, for queries that the joint product has made."""
        attention = self.decoder.attention
        if isinstance(attention, Additive) and self.asks:
            return read_together(lambda asked, t: read_additive(attention, asked, attended, t), len(attended[0]))
        return self.decoder.reader(attended)

    def __call__(self, token: Tensor, carry: Carry, attended: Attended) -> tuple[Tensor, Tensor | None, Carry]:
        """See `Decoder.predict`."""
        with torch.autocast(token.device.type, enabled=False):
            return self.step(token, carry, attended)

    def step(self, token: Tensor, carry: Carry, attended: Attended) -> tuple[Tensor, Tensor | None, Carry]:
        decoder = self.decoder
        embedded = decoder.embedding(token)
        query = carry.states[-1][0]
        pushed = self.hidden[-1](query)
        if self.asks:
            rows = len(decoder.layer(-1).weight_hh)
            pushed, query = pushed[:, :rows], pushed[:, rows:]
        read = self.reader(attended)
        summed, weights = (None, None) if read is None else read(query, 0)
        context = () if summed is None else (summed,)
        shares: list[Tensor] = []
        if summed is not None and self.shares is not None:
            *shares, rest = summed.split([*self.widths, summed.shape[1] - sum(self.widths)], dim=1)
            context = (rest,) if self.readout is None else ()
        states: list[CellState] = []
        for i, old in enumerate(carry.states):
            if i:
                z = self.inputs[i](states[-1][0])
            else:
                z = self.inputs[0](torch.cat([embedded, *(() if shares else context), *carry.feed], dim=1))
                z = z + shares[0] if shares else z
            pushes = pushed if i + 1 == len(carry.states) else self.hidden[i](old[0])
            states.append(decoder.layer(i).update(z, pushes, old))
        features = output = states[-1][0]
        if attended:
            features = torch.cat([output, *context, embedded], dim=1)
        if self.readout is not None:
            features = self.readout(features)
            features = torch.tanh(features + shares[1] if shares else features)
        logits = self.output(features)
        return logits, weights, Carry(tuple(states), (features,) if decoder.input_feeding else ())
