"""Greedy decoding of a file: batches in which the finished leave, over one sentence at a time as in the notebook.

The same weights on both sides and the same translations; sentences end at `LENGTH` words.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from probeta.data.vocabulary import BOS_ID, EOS_ID
from probeta.nn.decoding import greedy
from tests.benchmarks import _multi30k as multi30k
from tests.benchmarks.decode_joeynmt import batches

LENGTH, SINGLE, REPEATS, TARGET = 13, 40, 3, 20.0


def transplant(notebook: multi30k.NotebookTranslator, net: Any) -> None:
    """The notebook's weights into ours."""
    encoder, decoder = net.encoder.recurrent.cells[0], net.decoder.cells[0]
    with torch.no_grad():
        for mine, lstm in ((encoder, notebook.encoder), (decoder, notebook.decoder)):
            for parameter, theirs in zip(mine.parameters(), lstm.parameters(), strict=True):
                parameter.copy_(theirs)
        net.encoder.embedding.weight.copy_(notebook.source_embedding.weight)
        net.decoder.embedding.weight.copy_(notebook.target_embedding.weight)
        net.decoder.output.load_state_dict(notebook.fc_out.state_dict())
        attention, both = net.decoder.attention, notebook.attention.attn
        attention.query.weight.copy_(both.weight[:, : multi30k.HIDDEN])
        attention.key.weight.copy_(both.weight[:, multi30k.HIDDEN :])
        attention.key.bias.copy_(both.bias)
        attention.energy.weight.copy_(notebook.attention.v.weight)


@torch.no_grad()
def translate_greedy(model: multi30k.NotebookTranslator, ids: list[int]) -> list[int]:
    """The notebook's function of that name."""
    outputs, hidden, cell = model.encode(torch.tensor(ids).unsqueeze(1))
    token, found = torch.tensor([BOS_ID]), []
    for _ in range(LENGTH):
        output, hidden, cell = model.step(token, hidden, cell, outputs)
        found.append(int(output.argmax(1).item()))
        token = torch.tensor([found[-1]])
        if found[-1] == EOS_ID:
            break
    return found


def run() -> list[dict[str, Any]]:
    reason = multi30k.missing()
    if reason:
        return [multi30k.skipped("decode_single", reason)]
    corpus = multi30k.load()
    torch.manual_seed(0)
    notebook = multi30k.NotebookTranslator(len(corpus.source), len(corpus.target)).eval()
    with torch.no_grad():
        # No sentence ends early, and no padding or start is ever the most probable word.
        notebook.fc_out.bias[:3] = -1e4
    net = multi30k.ours(corpus).eval()
    transplant(notebook, net)
    with torch.inference_mode():
        prepared = net.prepare()
    sources = batches(corpus, len(corpus.test_source))
    chosen = corpus.test_source[:: len(corpus.test_source) // SINGLE][:SINGLE]
    same = sum(
        translate_greedy(notebook, ids)
        == greedy(net, torch.tensor([ids]), LENGTH, bos_id=BOS_ID, eos_id=EOS_ID)[0].tokens
        for ids in chosen
    )
    a, b = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for ids in chosen:
            translate_greedy(notebook, ids)
        b.append(len(chosen) / (time.perf_counter() - start))
        start = time.perf_counter()
        for source in sources:
            greedy(net, source, LENGTH, bos_id=BOS_ID, eos_id=EOS_ID, prepared=prepared)
        a.append(sum(len(source) for source in sources) / (time.perf_counter() - start))
    ours, single = statistics.median(a), statistics.median(b)
    return [
        {
            "name": "decode_single",
            "ratio": ours / single,
            "a": ours,
            "b": single,
            "unit": "sentences/s",
            "target": f">= {TARGET:g}",
            "note": f"{LENGTH} words each, batch 64; {same} of {len(chosen)} compared translations are the same",
        }
    ]
