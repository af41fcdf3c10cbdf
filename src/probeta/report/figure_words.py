"""The words of figures in the reader's language: figures are drawn in English, and their texts replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

from probeta.report.language import Language

WORDS = (
    # curves
    "Loss", "Accuracy", "Exact translations", "Errors of the perceptron", "Learning rate",
    "epoch", "training", "validation", "validation, free-running", "learning rate",
    "cross-entropy (nats per example or token)", "accuracy (share right)", "corpus BLEU (0 to 100)",
    "share of sentences", "points on the wrong side in an epoch", "weights kept (epoch {n})", "{what}, log scale",
    "Gradient norm by layer, before clipping", "Weight norm by layer", "Saturated units by layer",
    "share of activations in saturation", "all layers together", "layer, from input (top) to output",
    # classifiers
    "Decision boundary", "class {name}", "class {name}, test", "class {name}, train and validation",
    "probability of class {name}", "boundary (probability 0.5)", "boundary",
    "{name} (no unit)", "{name} (standardised)",
    "Classes of the {split} set", "predicted class", "true class", "share of the true class",
    "Reliability on the {split} set", "perfectly calibrated", "as predicted: ECE {error}",
    "at temperature {t}: ECE {error}", "confidence (probability of the predicted class)", "predictions",
    # translators
    "Attention, {split} sentence", "attention weight", "source token", "produced token", "reference: {sentence}",
    "framed: gold alignment", "each word looked most at <eos>, where the encoder",
    "has read the whole sentence: no alignment",
    "Self-attention of the encoder", "Self-attention of the decoder", "Attention on the source",
    "layer {l}, head {h}",
    # probes
    "Gradient at the input against depth", "depth (layers)", "layer (0: the input)",
    "Gradient at every layer of the deepest net ({n} layers)", "({what}, n = {n})",
    "geometric mean, 95 % interval over seeds", "geometric mean, 95 % interval",
    "Gradient at every module's output, in order of computation", "module",
    "Finite differences against backpropagation: error by step size", "step ε", "relative error, all layers",
    "relative error", "layer", "Gradient check: relative error by layer",
    "(beyond its tolerance and not crossed out: within rounding)",
    "{dtype}: all parameters", "{dtype}: worst parameter", "{dtype}: wrong", "{dtype}: tolerance",
    "Bugs put into a layer: the gradient check's error, and the layer it names", "not found",
    "greatest relative error of a layer", "bug", "broken layer",
    "Gradient of the recurrent weight against length", "length T (steps)", "‖∂L/∂W‖ of the recurrent weight",
    "Gradient at the state k steps before the loss", "distance k (steps)", "gradient norm", "recurrent matrix:",
    "candidate's matrix:", "fit: {rate} per step", "bound: {what}", "{what} (cell state)",
    "The three-state machine as a tanh net", "expected state", "fixed weights {what}", "learned weights",
    "step t (above) and input x (below)", "state h", "start", "end: some states wrong",
    "Learning the machine: the two weights of every random start", "end: every state right on longer sequences",
    "direction of the fixed weights, {what}", "input weight {what}", "recurrent weight {what}",
    "Learning the machine: training loss of every random start", "median", "update", "mean squared error",
    "Probability left as an explanation's words are deleted", "(mean; lower: better words)",
    "mean probability of the target word", "random order", "attention weight", "weight × norm of value",
    "gradient × input", "integrated gradients", "leave one word out",
    "What a word loses under interventions on attention", "loss of log p, nats",
    "top words cut", "random words cut", "all cut", "all averaged", "uniform", "shuffled", "another's", "gold",
    "temperature {t}", "encoder {n} cut", "decoder {n} cut", "cross {n} cut",
    # curvature, landscapes
    "Spectral density of the {matrix}", "Spectral density of the {matrix} (mean over {n} nets)", "Hessian",
    "Gauss–Newton matrix", "smallest eigenvalues", "largest eigenvalues", "eigenvalue", "density",
    "Loss in a random plane (seed {n})", "Loss along random directions", "Loss along random directions ({n} nets)",
    "distance from the weights, times the length of the weights' filters",
    "first direction, times the length of the weights' filters", "second direction, likewise",
    "first principal direction", "first principal direction ({share} of the variance)", "second",
    "second ({share} of the variance)", "loss", "weights kept", "path", "beginning", "Loss in a random plane",
    "Loss in the plane of the path",
)  # fmt: skip
"""What figures say, a line each; `{…}` stands for a name or a number."""


def translate_figure(figure: Figure, language: Language) -> Figure:
    """`figure` with each of its texts in `language`; what is in no catalogue (a metric's key) stays."""
    if language.code != "en":
        for text in _texts(figure):
            text.set_text("\n".join(say_line(line, language) for line in text.get_text().split("\n")))
        for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
            if isinstance(axis.get_major_locator(), FixedLocator):  # named places, written when it is drawn
                places = axis.get_majorticklocs()
                names = [axis.get_major_formatter()(place, i) for i, place in enumerate(places)]
                if (said := [say_line(name, language) for name in names]) != names:
                    axis.set_ticks(places, said)
    return figure


def say_line(line: str, language: Language) -> str:
    if (said := language.say(line)) != line:
        return said
    for message, pattern in _forms():
        if found := pattern.fullmatch(line):
            return language.say(message, **{name: say_line(part, language) for name, part in found.groupdict().items()})
    return line


def _texts(figure: Figure) -> Iterator[Text]:
    """All but the numbers at ticks, which are written when the figure is drawn."""
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_text():
            yield text


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The messages with placeholders as patterns, the longest first."""
    composed = sorted((message for message in WORDS if "{" in message), key=len, reverse=True)
    return tuple(
        (message, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(message)))) for message in composed
    )
