# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 7. From sequence to sequence
#
# **Question.** Can one vector hold a sentence, and how do you tell learning from memory?
#
# The first cell installs probeta where it is missing. On Colab, `repository` has to be `git+` and the address of your
# copy of the repository.

# %%
try:
    import probeta
except ImportError:
    import subprocess
    import sys

    repository = "../.."
    if subprocess.run([sys.executable, "-m", "pip", "install", "-q", repository]).returncode:
        raise ImportError(f"no probeta in {repository} (a folder, or git+ and an address)") from None
    import probeta

lang = "en"

# %% [markdown]
# ## Encoder and decoder
#
# One recurrent net reads the source; its last state is all that the second one, which writes the target, ever sees:
#
# $$c = h_S^{\text{enc}}, \qquad
#   p(y \mid x) = \prod_{t=1}^{T} p(y_t \mid y_{<t}, c), \qquad
#   p(y_t\mid y_{<t}, c) = \mathrm{softmax}(W h_t^{\text{dec}})$$
#
# While training, the decoder is given either the right previous word (*teacher forcing*) or its own. When it
# translates, there are only its own, until it writes `<eos>`.
#
# Fourteen pairs of English and German, of which twelve are for training. First see whether they can be learned by
# heart: a model that cannot do that has a fault, and no more data will mend it.

# %%
run = probeta.train("experiment=toy_seq2seq", "trainer.max_epochs=150", "recipe.decode_every=50", lang=lang)

# %%
run.figure("loss")

# %%
run.translate(["i like books", "he is a student", "how are you", "i am fine"])

# %% [markdown]
# The last two were not in training, and none of their German words was. The decoder cannot write a word that it does
# not know: what it writes is always made of words that it has seen.
#
# ## Counting what matches
#
# BLEU compares n-grams with the reference, and punishes what is too short ($c$ and $r$ are the lengths):
#
# $$\mathrm{BLEU} = \min\left(1, e^{1-r/c}\right)\left(\prod_{n=1}^{4} p_n\right)^{1/4}$$
#
# A sentence of three words has no four-gram at all, so sentence by sentence a product of zeros has to be smoothed, and
# stays well below 1 even where every word is right. Look at the exact matches beside it:

# %%
for split in ("train", "test"):
    print(split, {name: run.metrics[f"{split}/{name}"] for name in ("bleu", "bleu_sentence", "chrf", "exact_match")})

# %% [markdown]
# ## Teacher forcing, measured
#
# With it, each step learns from a correct beginning, but never from its own mistakes; without it, the decoder learns
# the words late, because at first its beginnings are nonsense. What does the same time buy?

# %%
forcing = probeta.sweep(
    "experiment=toy_seq2seq",
    "model.teacher_forcing_ratio=0.0,1.0",
    "trainer.max_epochs=40",
    "recipe.decode_every=40",
    seeds=range(3),
    lang=lang,
)
forcing.table("train/loss")

# %%
forcing.figure("train/loss")

# %%
print(forcing.compare("teacher_forcing_ratio=1.0", "teacher_forcing_ratio=0.0", "train/loss"))

# %% [markdown]
# ## Your turn
#
# Change one thing: the size of the vector (`recipe.hidden_size=8,32,128`: from which size on do twelve sentences fit?),
# the limit of the gradient (`trainer.gradient_clip_val=0.1,1.0`), or half-hearted teacher forcing
# (`model.teacher_forcing_ratio=0.25,0.75`).

# %%
change = "recipe.hidden_size=8,32,128"
small = ["experiment=toy_seq2seq", "trainer.max_epochs=40", "recipe.decode_every=40"]
mine = probeta.sweep(*small, change, seeds=range(2), lang=lang)
mine.table("train/loss")

# %% [markdown]
# ## Exercises
#
# The call runs a study of its own, which takes a while, and writes a page with the answer.
#
# * `probeta.exercise(16)`: few pairs by heart; then more and more pairs. What is learned, and what stays wrong?
