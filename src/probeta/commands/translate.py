"""`probeta translate`: lines of text through a finished run, from the command line, a pipe or a file."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from probeta.commands.align import align_files, make_aligner, write
from probeta.commands.arguments import parse, required
from probeta.errors import ConfigError, check_whole

if TYPE_CHECKING:
    from probeta.inference.translator import TextTranslator

USAGE = "probeta translate run=DIR text='…' | input=FILE output=FILE   (or lines on standard input)"

ACCEPTED = {
    "run": "DIR: the directory of a finished translator",
    "text": "TEXT: one line to translate",
    "input": "FILE: one sentence per line, plain or .gz; needs output=",
    "output": "FILE, new: the translations in the input's order; an interrupted command goes on where it stopped",
    "beam_size": "N: prefixes that the search keeps; 1 is greedy (the run's own setting)",
    "length_penalty": "NUMBER: exponent of the length penalty of a beam search (the run's own setting)",
    "length_norm": "gnmt or length: the exponent of (5 + length) / 6 or of the length (the run's own setting)",
    "max_length": "N: tokens of a translation at most (the run's own setting)",
    "n_best": "N: for text=, that many translations with their scores, best first (1)",
    "batch_size": "N: sentences at a time (64)",
    "precision": "32 or bf16: of the matrix products; bf16 is faster and may change a word (32)",
    "unknown": "keep or copy: leave <unk>, or copy the source word attended to most (keep)",
    "lexicon": "FILE: for unknown=copy, lines of a source word, a tab and its translation",
    "heatmap": "FILE, new: for text=, a figure of the attention weights",
    "alignment": "FILE, new: for text= or input=, links i-j of each line's words to those of its translation",
    "layer": "N: for alignment=, a Transformer's layer, from 0 (the last)",
    "head": "N: for alignment=, of that layer, from 0 (the mean of all)",
    "trust": "[PACKAGE]: packages of your own that the run may build from",
    "device": "auto, cpu, cuda, mps: where to compute (auto)",
}


def main(argv: list[str]) -> int:
    values = parse(USAGE, argv, ACCEPTED)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8")  # as the input is: words must not turn into question marks
    run = required(values, "run", "DIR")
    check(values)
    translator = load(run, values)
    if "text" in values:
        translate_text(translator, values)
    elif "input" in values:
        from probeta.inference.translate_file import translate_file

        aligner = make_aligner(translator, values) if "alignment" in values else None
        translate_file(translator, run, values)
        if aligner is not None:
            files = {"source": values["input"], "target": values["output"]}
            write(align_files(files, aligner), values["alignment"])
    else:
        from probeta.inference.inputs import translate_stream

        for line in translate_stream(translator, cast(BufferedReader, sys.stdin.buffer)):
            print(line, flush=True)
    return 0


def check(values: Mapping[str, str]) -> None:
    """Combinations that mean nothing are refused before anything is loaded."""
    if "text" in values and "input" in values:
        raise ConfigError("text= and input= exclude each other")
    if ("input" in values) != ("output" in values):
        missing, given = ("output", "input") if "input" in values else ("input", "output")
        raise ConfigError(f"{missing} is missing: {given}={values[given]} needs {missing}=FILE")
    for key in ("layer", "head"):
        if key in values and "alignment" not in values:
            raise ConfigError(f"{key}= is of the attention that alignment=FILE writes links of")
    if "alignment" in values and not {"text", "input"} & set(values):
        raise ConfigError("alignment= needs text='…' or input=FILE")
    for key in ("heatmap", "n_best"):
        if key in values and "text" not in values:
            raise ConfigError(f"{key}= is for one sentence: it needs text='…'")
    if values.get("unknown", "keep") not in ("keep", "copy"):
        raise ConfigError.value("unknown", values["unknown"], "keep or copy")
    if "lexicon" in values and values.get("unknown") != "copy":
        raise ConfigError("lexicon= needs unknown=copy")


def read_whole(values: Mapping[str, str], key: str) -> int | None:
    """A whole number from 1, or `None` where the key is not given."""
    text = values.get(key)
    return None if text is None else check_whole(key, int(text) if text.isdecimal() else text)


def load(run: str, values: Mapping[str, str]) -> TextTranslator:
    """The run's kept weights, codec and search settings, with what the command line changes."""
    search: dict[str, Any] = {key: read_whole(values, key) for key in ("beam_size", "max_length")}
    n_best, batch_size = read_whole(values, "n_best") or 1, read_whole(values, "batch_size") or 64
    if "length_norm" in values:
        search["length_norm"] = values["length_norm"]
    if "length_penalty" in values:
        try:
            search["length_penalty"] = float(values["length_penalty"])
        except ValueError:
            raise ConfigError.value("length_penalty", values["length_penalty"], "a number from 0") from None
    from probeta.inference.inputs import read_lexicon

    lexicon = read_lexicon(Path(values["lexicon"])) if "lexicon" in values else None

    from probeta.config.trust import trust_argument
    from probeta.inference.translator import load_translator
    from probeta.runs.memory import keep_freed_memory

    keep_freed_memory()

    translator = load_translator(run, values.get("device", "auto"), trust_argument(values.get("trust")))
    decoding = replace(translator.decoding, **{key: value for key, value in search.items() if value is not None})
    if n_best > decoding.beam_size:
        raise ConfigError.value("n_best", n_best, f"at most beam_size={decoding.beam_size}; say beam_size={n_best}")
    return replace(
        translator,
        decoding=decoding,
        batch_size=batch_size,
        copy_unknown=values.get("unknown") == "copy",
        lexicon=lexicon,
        precision=values.get("precision", "32"),
    )


def translate_text(translator: TextTranslator, values: Mapping[str, str]) -> None:
    n_best = read_whole(values, "n_best") or 1
    [best] = translator.translate([values["text"]], n_best, need_weights="heatmap" in values)
    for translation in best:
        print(f"{translation.score:.4f}\t{translation.text}" if n_best > 1 else translation.text)
    if "alignment" in values:
        aligner = make_aligner(translator, values)
        write(aligner([values["text"]], [best[0].text if best else ""]), values["alignment"])
    if "heatmap" in values:
        if not best:
            raise ConfigError("heatmap= needs a text that is not blank")
        from probeta.inference.heatmap import draw_heatmap

        draw_heatmap(best[0], Path(values["heatmap"]))
