"""Training and testing of any encoder–decoder: teacher-forced loss, translations, their scores."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from probeta.data.batch import PairBatch
from probeta.data.spec import TextSpec
from probeta.data.vocabulary import BOS, EOS
from probeta.errors import ConfigError
from probeta.interventions.changes import find_sites
from probeta.interventions.panel import cut_one_by_one
from probeta.interventions.survey import METRICS, Survey, make_survey
from probeta.metrics.translation import SCORES, score_all
from probeta.metrics.translation_analysis import analysis
from probeta.models.decoding import Decoding
from probeta.models.gold import ALIGNED, GROUPED, GoldData, GoldScores, gold_links, group_metrics, score_groups
from probeta.models.module import SPLITS, Measured, Module, Sums
from probeta.nn.decoding import Hypothesis, beam_search, greedy
from probeta.nn.dropout import mix
from probeta.nn.loss import plain_cross_entropy, projected_cross_entropy
from probeta.nn.translator import Translator

LARGE_VOCABULARY = 1000
"""From here on the vocabulary projection dominates a step, and computing it in chunks pays."""

KEPT_TRANSLATIONS = 50
"""Sentences per split whose attention is kept for heat maps."""

INTERVENED = 4
"""Sentences per split of which a page can remove links."""


class TranslatorModule(Module):
    """Token-level cross-entropy of `net`, a `Translator` that the subclass builds.

    Losses are per token and teacher-forced, in training and in validation, so that they compare (in the training
    steps' own `train/loss` dropout and label smoothing are at work, which raise it); `loss_free` feeds the model its
    own words. `teacher_forcing_ratio` is the probability that a training step's next input is
    the reference (scheduled sampling, Bengio et al. 2015); it is drawn for each time step from (seed, step).

    Args:
        decoding: the search for a translation.
        label_smoothing: share of a training target that is spread over all words, 0 <= share < 1.
    """

    accepts = TextSpec
    compiled = False  # batches of text differ in length: it would compile for minutes, again and again
    net: Translator

    def __init__(
        self,
        spec: TextSpec,
        decoding: Decoding,
        teacher_forcing_ratio: float = 1.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= teacher_forcing_ratio <= 1:
            raise ConfigError.value("teacher_forcing_ratio", teacher_forcing_ratio, "a probability, 0 <= p <= 1")
        if not 0 <= label_smoothing < 1:
            raise ConfigError.value("label_smoothing", label_smoothing, "a share, 0 <= share < 1")
        self.spec, self.decoding = spec, decoding
        self.teacher_forcing_ratio = teacher_forcing_ratio
        self.label_smoothing = label_smoothing
        self.chunked = spec.target_vocab_size >= LARGE_VOCABULARY
        self.sample: Tensor | None = None
        self.translations: dict[str, dict[int, Hypothesis]] = {}
        self.signatures: dict[str, str] = {}

    # --- losses --------------------------------------------------------------------------------------

    def measure(self, batch: PairBatch, forced: Tensor | None = None) -> Measured:
        """`forced (T,)` bool: the steps whose input is the reference; `None` means all of them."""
        if not self.chunked:
            return self.measure_outputs(self.outputs(batch, forced), batch)
        weight, bias = self.net.output_weight, self.net.output_bias
        features = self.features(batch, forced)
        return self.summed(projected_cross_entropy(features, weight, bias, batch.target[:, 1:], *self.loss_settings))

    def features(self, batch: PairBatch, forced: Tensor | None = None) -> Tensor:
        """`(B, T, F)` of which the vocabulary projection makes logits."""
        encoded = self.net.encode(batch.source)
        return self.net.decode(encoded, batch.target[:, :-1], forced=forced).features

    def outputs(self, batch: PairBatch, forced: Tensor | None = None) -> Tensor:
        """`(B, T, V)` logits."""
        return self.net.project(self.features(batch, forced))

    def measure_outputs(self, outputs: Tensor, batch: PairBatch) -> Measured:
        return self.summed(plain_cross_entropy(outputs, batch.target[:, 1:], *self.loss_settings))

    @property
    def loss_settings(self) -> tuple[int, float]:
        """The id that is no token, and the label smoothing."""
        return self.spec.pad_id, self.label_smoothing if self.training else 0.0

    @staticmethod
    def summed(loss: tuple[Tensor, Tensor]) -> Measured:
        objective, tokens = loss[0], loss[1].to(loss[0].dtype)
        return Measured(objective, tokens, {"loss": objective.detach(), "tokens": tokens})

    @staticmethod
    def summarize(sums: Sums) -> dict[str, Tensor]:
        metrics = {"loss": sums["loss"] / sums["tokens"]}
        if "free" in sums:
            metrics["loss_free"] = sums["free"] / sums["tokens"]
        return metrics

    def measure_training(self, batch: PairBatch) -> Measured:
        return self.measure(batch, self.draw_forced(batch.target.shape[1] - 1, self.seed, self.draw_step))

    def draws_noise(self) -> bool:
        return self.teacher_forcing_ratio < 1.0 or super().draws_noise()

    def draw_forced(self, steps: int, seed: int, step: int) -> Tensor | None:
        """Which of `steps` inputs are the reference in training step `step`: `(T,)`, or `None` for all."""
        if self.teacher_forcing_ratio >= 1.0:
            return None
        generator = torch.Generator().manual_seed(mix(seed, step, -1) & 0xFFFFFFFF)
        # Of a fixed type: in double precision the default type, and with it the draws, would be another.
        forced = torch.rand(steps, generator=generator, dtype=torch.float32) < self.teacher_forcing_ratio
        return forced.to(self.device)

    def measure_free(self, batch: PairBatch) -> Tensor:
        """Sum of the losses with free-running decoding: the model's own words are its inputs."""
        own = torch.zeros(batch.target.shape[1] - 1, dtype=torch.bool, device=batch.target.device)
        return self.measure(batch, own).objective.detach()

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """bf16 gradients are not scaled, yet Lightning refuses to clip them under a fused optimizer."""
        by_norm = gradient_clip_algorithm is None or gradient_clip_algorithm == "norm"
        if self.trainer.precision == "bf16-mixed" and by_norm and gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    # --- validation ----------------------------------------------------------------------------------

    @classmethod
    def logged(cls) -> set[str]:
        """Losses of both splits, and of validation's translations their scores."""
        return super().logged() - {"train/loss_free"} | {f"val/{name}" for name in SCORES}

    def reported(self, data: Any) -> set[str]:
        """Losses, scores of translations, and with gold links those of attention and of groups."""
        names = {f"{split}/{name}" for split in SPLITS for name in SCORES}
        if isinstance(data, GoldData):
            names |= {f"test/{name}" for name in GROUPED} | {f"{s}/{n}" for s in SPLITS for n in self.aligned()}
        explained = METRICS if self.decoding.explained and find_sites(self.net) else set()
        return super().reported(data) | names | explained

    def aligned(self) -> tuple[str, ...]:
        """The names of the scores of this model's attention against gold links."""
        return ALIGNED

    def thorough_at(self, epoch: int, max_epochs: int | None, every: int = 1) -> bool:
        """The first validation after each n-th epoch translates, and the last one."""
        n = self.decoding.every_n_epochs
        last = max_epochs is not None and 0 < max_epochs < epoch + 1 + every
        return last or (epoch + 1) // n > (epoch + 1 - every) // n

    def measure_thoroughly(self, batch: PairBatch) -> Measured:
        measured = self.measure(batch)
        return measured._replace(sums={**measured.sums, "free": self.measure_free(batch)})

    def start_sample(self, data: Any) -> None:
        """Begin to translate the validation sentences that the run's curves show."""
        self.translations["val"] = {}
        if self.sample is None:
            order = torch.randperm(len(data.references("val")), generator=torch.Generator().manual_seed(0))
            self.sample = order[: self.decoding.sample]

    def translate_sample(self, batch: PairBatch) -> None:
        """Translate those sentences of `batch` that are in the sample."""
        assert self.sample is not None
        rows = torch.isin(batch.index.cpu(), self.sample).nonzero()[:, 0].to(batch.index.device)
        if rows.numel():
            hypotheses = self.search(batch.source[rows], beam_size=1)
            self.translations["val"].update(zip(batch.index[rows].tolist(), hypotheses, strict=True))

    def validation_words(self, data: Any) -> dict[str, float]:
        self.start_sample(data)
        for batch in data.batches("val"):
            self.translate_sample(type(batch)(*(t.to(self.device) for t in batch)))
        return self.score("val", data)

    def on_validation_epoch_start(self) -> None:
        self.start_sample(self.trainer.datamodule)  # type: ignore[attr-defined]

    def validation_step(self, batch: PairBatch, batch_idx: int) -> None:
        every = self.trainer.check_val_every_n_epoch or 1
        if not self.thorough_at(self.current_epoch, self.trainer.max_epochs, every):
            super().validation_step(batch, batch_idx)
            return
        self.meters["val"].add(self.measure_thoroughly(batch).sums)
        self.translate_sample(batch)

    def on_validation_epoch_end(self) -> None:
        if self.translations["val"]:
            words = self.score("val", self.trainer.datamodule)  # type: ignore[attr-defined]
            self.epoch_metrics.update(words)
            self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in words.items()})
        super().on_validation_epoch_end()

    def search(self, source: Tensor, beam_size: int, need_weights: bool = False) -> list[Hypothesis]:
        """Translations of `source (B, S)` with the run's decoding settings."""
        d, spec = self.decoding, self.spec
        common: dict[str, Any] = {"bos_id": spec.bos_id, "eos_id": spec.eos_id, "length_ratio": d.length_ratio}
        if beam_size == 1:
            return greedy(self.net, source, d.max_length, need_weights=need_weights, **common)
        common |= {"beam_size": beam_size, "alpha": d.length_penalty, "length_norm": d.length_norm}
        beams = beam_search(self.net, source, d.max_length, need_weights=need_weights, **common)
        return [hypotheses[0] for hypotheses in beams]

    def score(self, split: str, data: Any) -> dict[str, float]:
        """BLEU and its kin of the translations of `split` that are there; keeps the signatures."""
        hypotheses = self.translations[split]
        rows = sorted(hypotheses)
        references = data.references(split)
        values, self.signatures = score_all(
            [data.target.decode_words(hypotheses[row].tokens) for row in rows],
            data.reference_words(split, rows),
            [data.decode(hypotheses[row].tokens) for row in rows],
            [references[row] for row in rows],
            lowercase=data.target.tokenizer.lowercase,
        )
        self.counts[f"{split}/exact_match"] = round(values["exact_match"] * len(rows)), len(rows)
        return {f"{split}/{name}": value for name, value in values.items()}

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "signatures": self.signatures}

    # --- the finished run ----------------------------------------------------------------------------

    def evaluation_loaders(self, data: Any) -> dict[str, Any]:
        """All of validation and test, and a sample of training: a large corpus is not translated as a whole."""
        return {
            "train": data.batches("train", sample=self.decoding.sample),
            **{split: data.batches(split) for split in ("val", "test")},
        }

    def on_test_epoch_start(self) -> None:
        self.translations = {split: {} for split in self.test_splits}
        self.gold_scores: dict[str, GoldScores] = {}
        self.survey: Survey | None = None

    def test_step(self, batch: PairBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        super().test_step(batch, batch_idx, dataloader_idx)
        split = self.test_splits[dataloader_idx]
        self.meters[f"test:{split}"].add({"free": self.measure_free(batch)})
        hypotheses = self.search(batch.source, self.decoding.beam_size, need_weights=True)
        self.translations[split].update(zip(batch.index.tolist(), hypotheses, strict=True))
        if isinstance(self.data, GoldData):
            self.align(batch, split)

    def align(self, batch: PairBatch, split: str) -> None:
        """Score the attention of a pass over the reference, which is what the gold links are of."""
        inputs = batch.target[:, :-1]
        weights = self.net.decode(self.net.encode(batch.source), inputs, need_weights=True).attention
        if weights is not None:
            scores = self.gold_scores.setdefault(split, GoldScores(self.data, split))
            scores.add(batch, weights, self.head_weights(batch.source, inputs))

    def head_weights(self, source: Tensor, inputs: Tensor) -> Tensor | None:
        """`(B, layers, heads, T, S)` where attention has several."""
        return None

    def on_test_epoch_end(self) -> None:
        super().on_test_epoch_end()
        for split in self.test_splits:
            self.evaluated[split].update(self.score(split, self.data))
        if isinstance(self.data, GoldData) and "test" in self.translations:
            hypotheses, data = self.translations["test"], cast(Any, self.data)
            order = sorted(hypotheses)
            words = [data.target.decode_words(hypotheses[row].tokens) for row in order]
            by = score_groups(data, "test", order, words, data.reference_words("test", order))
            self.evaluated["test"].update({f"test/{name}": value for name, value in group_metrics(by).items()})
        # The head that a test score is reported of is chosen on validation.
        chosen = self.gold_scores["val"].best_head() if "val" in self.gold_scores else None
        for split, scores in self.gold_scores.items():
            metrics = scores.metrics(chosen)
            self.evaluated[split].update({f"{split}/{name}": value for name, value in metrics.items()})
        if self.decoding.explained and "test" in self.test_splits and find_sites(self.net):
            self.survey = make_survey(self.net, self.spec, self.data, self.decoding.explained)
            self.evaluated["test"].update(self.survey.metrics)

    def artifacts(self, data: Any) -> dict[str, Any]:
        """`translations` (with attention, some of each split), of the first of them `interventions`; by split the
        `hypotheses` beside references and sources, and what is wrong with their words (`errors`, `analysis`); with gold
        links `alignment` and `groups`; where words were explained, `explanations`.
        """
        values: dict[str, Any] = {"translations": []}
        for split, hypotheses in self.translations.items():
            order = sorted(hypotheses)
            sources, references = data.sources(split), data.references(split)
            words = {
                "sources": [data.source.words(sources[row]) for row in order],
                "hypotheses": [data.target.decode_words(hypotheses[row].tokens) for row in order],
                "references": data.reference_words(split, order),
            }
            values[f"hypotheses.{split}"] = [data.decode(hypotheses[row].tokens) for row in order]
            values[f"references.{split}"] = [references[row] for row in order]
            values[f"sources.{split}"] = [sources[row] for row in order]
            values |= analysis(split, **words)
            if split in self.gold_scores:
                values[f"alignment.{split}"] = self.gold_scores[split].report()
            if isinstance(data, GoldData):
                by = score_groups(data, split, order, words["hypotheses"], words["references"])
                values[f"groups.{split}"] = by
            kept = [self.translation(split, row, hypotheses[row], data) for row in order[:KEPT_TRANSLATIONS]]
            values["translations"] += kept
        if find_sites(self.net):
            values["interventions"] = self.interventions(data)
        return values | ({} if self.survey is None else {"explanations": self.survey.arrays})

    def interventions(self, data: Any) -> list[dict[str, Any]]:
        """Of the first sentences of each split the translations without a link, a word, a head … (`cut_one_by_one`).

        They are greedy: `beam` says where the sentence's own translation, by beam search, is another than `base`.
        """
        places = [(split, row) for split, rows in self.translations.items() for row in sorted(rows)[:INTERVENED]]
        sources = [data.source.encode(data.sources(split)[row]) for split, row in places]
        targets = [self.translations[split][row].tokens for split, row in places]
        found = cut_one_by_one(self.net, self.spec, sources, targets, data.decode)
        return [
            {
                "split": split,
                "number": row,
                **cuts,
                "beam": cuts["base"] != data.decode(self.translations[split][row].tokens),
            }
            for (split, row), cuts in zip(places, found, strict=True)
            if cuts is not None
        ]

    @staticmethod
    def translation(split: str, number: int, hypothesis: Hypothesis, data: Any) -> dict[str, Any]:
        """One sentence as reports read it: rows of `attention` are the hypothesis' tokens, columns the source's."""
        # The words themselves: what the vocabulary made of them is no help to a reader.
        source = [BOS, *data.source.tokenizer.tokenize(data.sources(split)[number]), EOS]
        tokens, weights = data.target.tokens(hypothesis.tokens), hypothesis.attention
        return {
            "split": split,
            "number": number,
            "source": source,
            "reference": data.reference_words(split, [number])[0],
            "hypothesis": tokens,
            "gold": gold_links(data, split, number, tokens),
            "attention": None if weights is None else [[round(x, 5) for x in row] for row in weights.tolist()],
        }
