"""JoeyNMT 2.3 (Kreutzer et al. 2019) at the size of the translation benchmarks, in this process.

Its pins are old, so it lives in a folder of its own, next to the checkout's environment and without its dependencies:

    pip install --no-deps --target .joeynmt joeynmt==2.3.0 importlib_metadata zipp subword-nmt sacremoses lazy-importer

PROBETA_JOEYNMT names another folder. Its recurrent model (LSTM, Bahdanau attention, input feeding, attentional vector
of 512 before the vocabulary, and a bidirectional encoder, without which it fails) is compared with ours with the same
encoder and a read-out of the same 512. A step of ours reads the context (1024) where theirs reads that vector (512).
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from probeta.data.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from probeta.nn.attention import Additive
from probeta.nn.decoder import Decoder
from probeta.nn.encoder import Encoder
from probeta.nn.seq2seq import Seq2Seq
from tests.benchmarks import _multi30k as multi30k

E, H = multi30k.EMBEDDING, multi30k.HIDDEN


def missing() -> str | None:
    """Why JoeyNMT cannot be had, or `None`; makes it importable."""
    here = Path(__file__).resolve().parents[2]
    path = Path(os.environ.get("PROBETA_JOEYNMT", here / ".joeynmt"))
    if not (path / "joeynmt").is_dir():
        return f"no JoeyNMT in {path} (see tests/benchmarks/_joeynmt.py)"
    if str(path) not in sys.path:
        # Last: of what both have, ours is taken.
        sys.path.append(str(path))
    try:
        import joeynmt.model
        import joeynmt.search  # noqa: F401
    except ImportError as error:
        return f"JoeyNMT in {path} does not import: {error}"
    return None


def ours_alike(corpus: multi30k.Corpus) -> Seq2Seq:
    torch.manual_seed(0)
    encoder = partial(Encoder, embedding_size=E, bidirectional=True)
    decoder = partial(Decoder, embedding_size=E, readout_size=H)
    return Seq2Seq(len(corpus.source), len(corpus.target), PAD_ID, H, encoder, decoder, Additive)


def theirs(corpus: multi30k.Corpus) -> Any:
    from joeynmt.model import build_model
    from joeynmt.vocabulary import Vocabulary

    special = SimpleNamespace(
        unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", sep_token=None, lang_tags=[],
        unk_id=0, pad_id=1, bos_id=2, eos_id=3, sep_id=None,
    )  # fmt: skip
    side = {"type": "recurrent", "rnn_type": "lstm", "hidden_size": H, "embeddings": {"embedding_dim": E}}
    config = {
        "encoder": {**side, "bidirectional": True},
        "decoder": {**side, "attention": "bahdanau", "init_hidden": "bridge", "input_feeding": True},
    }
    torch.manual_seed(0)
    model = build_model(
        config, *(Vocabulary([f"w{i}" for i in range(len(v) - 4)], special) for v in (corpus.source, corpus.target))
    )
    model.loss_function = ("crossentropy", 0.0)
    return model


def their_ids(ids: Tensor) -> Tensor:
    """Our specials are 0 pad, 1 bos, 2 eos, 3 unk; theirs 0 unk, 1 pad, 2 bos, 3 eos."""
    table = {PAD_ID: 1, BOS_ID: 2, EOS_ID: 3, UNK_ID: 0}
    return torch.where(ids > 3, ids, torch.tensor([table[i] for i in range(4)])[ids.clamp(max=3)])


def their_batch(source: Tensor, target: Tensor | None) -> Any:
    from joeynmt.batch import Batch

    # They leave <s> out of the source, and want the longest sentence first.
    order = (source != PAD_ID).sum(1).sort(descending=True).indices
    source, target = their_ids(source[order, 1:]), None if target is None else target[order]
    return Batch(
        src=source, src_length=(source != 1).sum(1), src_prompt_mask=None,
        trg=None if target is None else their_ids(target), trg_prompt_mask=None,
        indices=torch.arange(len(source)), device=torch.device("cpu"), pad_index=1, eos_index=3,
    )  # fmt: skip


class TheirTraining:
    """One step as `joeynmt.training.TrainManager` takes it."""

    def __init__(self, corpus: multi30k.Corpus) -> None:
        self.net = theirs(corpus).train()
        self.optimizer = torch.optim.Adam(self.net.parameters(), multi30k.LR)

    def step(self, source: Tensor, target: Tensor) -> float:
        batch = their_batch(source, target)
        total, _, _, _ = self.net(return_type="loss", **vars(batch))
        loss = total / batch.ntokens
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), multi30k.CLIP)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(loss.item())
