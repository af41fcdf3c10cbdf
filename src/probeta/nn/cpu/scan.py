"""An LSTM over time, alone and with additive attention, with hand-written gradients.

Autograd records some twenty nodes per step and one product per step for the weights' gradients. Here a step of the
backward pass has one product, and the weights' gradients are one product over all steps, after the loop. The numbers
are those of `nn.rnn.RecurrentLayer` and `nn.decoder.Decoder.step`. Inside, time comes first: `(T, B, …)`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from probeta.nn.cpu.matmul import apply_rounded, fast_float32
from probeta.nn.cpu.private import softmax_backward

aten: Any = torch.ops.aten


def cell_forward(gates: Tensor, c: Tensor, c_next: Tensor, tanh_c: Tensor, h_next: Tensor) -> None:
    """Turn `gates (B, 4H)` into i, f, g, o in place; write c_t, tanh c_t and h_t to `c_next`, `tanh_c`, `h_next`.

    tanh x = 2 σ(2x) - 1: on a CPU, torch's sigmoid takes a fourth of the time of its tanh.
    """
    i, f, g, o = gates.chunk(4, dim=1)
    g.mul_(2)
    gates.sigmoid_()
    g.mul_(2).sub_(1)
    torch.mul(f, c, out=c_next)
    c_next.addcmul_(i, g)
    torch.mul(c_next, 2, out=tanh_c).sigmoid_().mul_(2).sub_(1)
    torch.mul(o, tanh_c, out=h_next)


def cell_backward(dh: Tensor, dc: Tensor, gates: Tensor, c: Tensor, tanh_c: Tensor, dz: Tensor) -> Tensor:
    """∂L/∂h_t and ∂L/∂c_t (from the next step) → ∂L/∂z_t, written to `dz (B, 4H)`, and ∂L/∂c_(t-1)."""
    i, f, g, o = gates.chunk(4, dim=1)
    d_i, d_f, d_g, d_o = dz.chunk(4, dim=1)
    dc = dc + aten.tanh_backward(dh * o, tanh_c)
    aten.sigmoid_backward.grad_input(dh * tanh_c, o, grad_input=d_o)
    aten.sigmoid_backward.grad_input(dc * g, i, grad_input=d_i)
    aten.sigmoid_backward.grad_input(dc * c, f, grad_input=d_f)
    aten.tanh_backward.grad_input(dc * i, g, grad_input=d_g)
    return dc * f


def step_cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """`gates (B, 4H)` before their nonlinearities (overwritten), c_(t-1) → h_t, c_t, without a gradient."""
    h, c_next, tanh_c = torch.empty_like(c), torch.empty_like(c), torch.empty_like(c)
    cell_forward(gates.to(c.dtype), c, c_next, tanh_c, h)
    return h, c_next


def find_full_steps(mask: Tensor | None, steps: int) -> list[bool]:
    """For each step whether no sentence is padding there, so that no state has to be held."""
    return [True] * steps if mask is None else mask.all(dim=0).tolist()


class LSTMScan(torch.autograd.Function):
    """`z (T, B, 4H)` (W_ih x + b), `W_hh (4H, H)`, `h`, `c (B, H)`, `mask (B, T)` → `(T, B, H)`, h, c."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        weight: Tensor,
        h: Tensor,
        c: Tensor,
        mask: Tensor | None,
        reverse: bool,
        low: torch.dtype | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, batch, size = z.shape[0], *h.shape
        full = find_full_steps(mask, steps)
        w = weight.to(low).t() if low else weight.t()
        gates = z.new_empty(steps, batch, 4 * size, dtype=h.dtype)
        # hs[t] and cs[t] are the states that step t reads; the last ones are the final states.
        hs, cs = h.new_empty(steps + 1, batch, size), c.new_empty(steps + 1, batch, size)
        tanh_c = h.new_empty(steps, batch, size)
        order = range(steps - 1, -1, -1) if reverse else range(steps)
        hs[0], cs[0] = h, c
        with fast_float32():
            for t in order:
                n = steps - 1 - t if reverse else t
                if low:
                    torch.add(z[t], torch.mm(hs[n].to(low), w), out=gates[t])
                else:
                    torch.addmm(z[t], hs[n], w, out=gates[t])
                cell_forward(gates[t], cs[n], cs[n + 1], tanh_c[t], hs[n + 1])
                if not full[t] and mask is not None:
                    pad = ~mask[:, t, None]
                    torch.where(pad, hs[n], hs[n + 1], out=hs[n + 1])
                    torch.where(pad, cs[n], cs[n + 1], out=cs[n + 1])
        ctx.save_for_backward(weight, gates, hs, cs, tanh_c, mask)
        ctx.reverse, ctx.full, ctx.low = reverse, full, low
        outputs = hs[1:].flip(0) if reverse else hs[1:]
        return outputs, hs[-1].clone(), cs[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor, d_h: Tensor, d_c: Tensor) -> tuple[Tensor | None, ...]:
        weight, gates, hs, cs, tanh_c, mask = ctx.saved_tensors
        steps, reverse, low = gates.shape[0], ctx.reverse, ctx.low
        w = weight.to(low) if low else weight
        dz = torch.empty_like(gates)
        dh, dc = d_h, d_c
        with fast_float32():
            for t in range(steps) if reverse else range(steps - 1, -1, -1):
                n = steps - 1 - t if reverse else t
                dh = dh + d_out[t]
                held_h = held_c = None
                if not ctx.full[t] and mask is not None:
                    real = mask[:, t, None]
                    held_h, held_c = dh.masked_fill(real, 0.0), dc.masked_fill(real, 0.0)
                    dh, dc = dh.masked_fill(~real, 0.0), dc.masked_fill(~real, 0.0)
                dc = cell_backward(dh, dc, gates[t], cs[n], tanh_c[t], dz[t])
                dh = torch.mm(dz[t].to(low), w).to(dc.dtype) if low else torch.mm(dz[t], w)
                if held_h is not None and held_c is not None:
                    dh, dc = dh + held_h, dc + held_c
            before = hs[:-1].flip(0) if reverse else hs[:-1]
            d_weight = multiply(dz.flatten(0, 1).t(), before.flatten(0, 1), low)
        return dz, d_weight, dh, dc, None, None, None


def multiply(a: Tensor, b: Tensor, low: torch.dtype | None) -> Tensor:
    """`a @ b` in `low` precision if given, as float32."""
    return torch.mm(a.to(low), b.to(low)).to(a.dtype) if low else torch.mm(a, b)


class AttentiveScan(torch.autograd.Function):
    """The decoder's loop over one LSTM layer with additive attention.

    The context enters the gates as W_c c = Σ_s α_s (W_c m_s): with `P = memory W_cᵀ (B, S, 4H)` computed before the
    loop, a step sums S rows instead of multiplying by W_c. vᵀ tanh x = 2vᵀ σ(2x) - Σv; the constant Σv is the same in
    all scores of a sentence, so the softmax cancels it and it is left out.

    Inputs: `z (T, B, 4H)`, `P`, doubled keys 2 (U m + b) `(B, S, A)`, mask `(B, S)`, `W_hh (4H, H)`, `W_q (A, H)`,
    `v (A,)`, `h`, `c (B, H)`; outputs: hidden states `(T, B, H)`, the last cell state `(B, H)`, weights `(B, T, S)`.
    Only the read-out needs the contexts, which are one product outside.
    """

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        p: Tensor,
        keys: Tensor,
        mask: Tensor,
        w_hh: Tensor,
        w_q: Tensor,
        v: Tensor,
        h: Tensor,
        c: Tensor,
        low: torch.dtype | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, (batch, size), length, width = z.shape[0], h.shape, keys.shape[1], keys.shape[2]
        joint = torch.cat([w_hh, 2 * w_q])
        w = joint.to(low).t() if low else joint.t()
        gates = h.new_empty(steps, batch, 4 * size)
        hs, cs = h.new_empty(steps + 1, batch, size), c.new_empty(steps + 1, batch, size)
        tanh_c = h.new_empty(steps, batch, size)
        energy = h.new_empty(steps, batch, length, width)
        alpha = h.new_empty(steps, batch, length)
        hs[0], cs[0] = h, c
        p, keys, v = p.to(h.dtype), keys.to(h.dtype), 2 * v.to(h.dtype)
        hidden = None if bool(mask.all()) else ~mask
        lowest = torch.finfo(h.dtype).min
        for t in range(steps):
            with fast_float32():
                u = multiply(hs[t], w, low)
            torch.add(u[:, None, 4 * size :], keys, out=energy[t]).sigmoid_()
            scores = torch.mv(energy[t].view(-1, width), v).view(batch, length)
            if hidden is not None:
                scores.masked_fill_(hidden, lowest)
            torch.softmax(scores, dim=1, out=alpha[t])
            torch.bmm(alpha[t, :, None], p, out=gates[t, :, None])
            gates[t].add_(u[:, : 4 * size]).add_(z[t])
            cell_forward(gates[t], cs[t], cs[t + 1], tanh_c[t], hs[t + 1])
        ctx.save_for_backward(p, keys, joint, v, gates, hs, cs, tanh_c, energy, alpha)
        ctx.low = low
        return hs[1:], cs[-1].clone(), alpha.transpose(0, 1).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor, d_c: Tensor, d_alpha: Tensor) -> tuple[Tensor | None, ...]:
        p, keys, joint, v, gates, hs, cs, tanh_c, energy, alpha = ctx.saved_tensors
        steps, batch, _ = alpha.shape
        size, low = hs.shape[2], ctx.low
        w = joint.to(low) if low else joint
        # Gradients of the gates and of the query side by side: a single product leads back to h.
        du = gates.new_empty(steps, batch, joint.shape[0])
        d_scores = torch.empty_like(alpha)
        d_keys = torch.zeros_like(keys)
        dh, dc = torch.zeros_like(hs[0]), d_c
        scratch = torch.empty_like(keys)
        for t in range(steps - 1, -1, -1):
            dz = du[t, :, : 4 * size]
            dc = cell_backward(dh + d_out[t], dc, gates[t], cs[t], tanh_c[t], dz)
            da = torch.bmm(dz[:, None], p.transpose(1, 2))[:, 0] + d_alpha[:, t]
            ds = softmax_backward(da, alpha[t], d_scores[t])
            # ∂L/∂score σ (1 - σ); multiplied by 2v after the sum.
            torch.addcmul(energy[t], energy[t], energy[t], value=-1.0, out=scratch)
            scratch.mul_(ds[:, :, None])
            d_keys.add_(scratch)
            torch.sum(scratch, dim=1, out=du[t, :, 4 * size :])
            du[t, :, 4 * size :].mul_(v)
            with fast_float32():
                dh = multiply(du[t], w, low)
        with fast_float32():
            d_keys.mul_(v)
            dz_all = du[:, :, : 4 * size]
            d_p = torch.bmm(alpha.permute(1, 2, 0), dz_all.transpose(0, 1))
            d_joint = multiply(du.flatten(0, 1).t(), hs[:-1].flatten(0, 1), low)
            d_v = 2 * torch.mv(energy.view(-1, keys.shape[2]).t(), d_scores.view(-1))
        return dz_all, d_p, d_keys, None, d_joint[: 4 * size], 2 * d_joint[4 * size :], d_v, dh, dc, None


def lstm_scan(weight: Tensor, z: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """`LSTMScan` without padding: hidden states `(T, B, H)` and the last cell state."""
    run, _, c = apply_rounded(LSTMScan, z.device, z, weight, h, c, None, False)
    return run, c


def attentive_scan(
    p: Tensor, keys: Tensor, mask: Tensor, w_hh: Tensor, w_q: Tensor, v: Tensor, z: Tensor, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`AttentiveScan`: hidden states `(T, B, H)`, the last cell state, weights `(B, T, S)`."""
    run: tuple[Tensor, Tensor, Tensor] = apply_rounded(AttentiveScan, z.device, z, p, keys, mask, w_hh, w_q, v, h, c)
    return run
