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
# # 8. Attention
#
# **Question.** What changes when the decoder may look back at every word of the source?
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
# ## Ask, compare, mix
#
# Instead of one vector for the whole sentence, the decoder gets a new one in each step: a mean of all the encoder's
# states, weighted by how well each of them answers its question (Bahdanau et al., 2015):
#
# $$e_{ts} = v^\top\tanh\left(W_q\,h_{t-1}^{\text{dec}} + W_k\,h_s^{\text{enc}}\right), \qquad
#   \alpha_{ts} = \frac{e^{e_{ts}}}{\sum_{s'} e^{e_{ts'}}}, \qquad
#   c_t = \sum_s \alpha_{ts}\, h_s^{\text{enc}}$$
#
# Nobody says where to look. The weights $\alpha$ are learned with everything else, because looking helps to
# translate.

# %%
run = probeta.train("experiment=toy_seq2seq_attn", "trainer.max_epochs=100", "recipe.decode_every=50", lang=lang)
run.translate(["i like books", "she is a teacher", "good night"])

# %% [markdown]
# Each row of the picture is one word of the translation, and its weights sum to 1. Point at a word:

# %%
looked = run.attention("i like books")
looked

# %%
for word, row in zip(looked.target, looked.weights, strict=True):
    print(f"{word:>10}  ← {looked.source[int(row.argmax())]:<8} {row.max():.2f}")

# %% [markdown]
# Is this an alignment? Not by force. The encoder is recurrent: its state at a word knows of all the words before it,
# and the state at `<eos>` has read everything. With twelve sentences to learn by heart, one such state is enough.
# Weights say what was mixed, not why; where gold alignments exist, they can be compared with those.
#
# ## With and without, on sentences that it has not seen
#
# A small grammar generates pairs in any number. The same pairs, the same number of epochs, and three seeds:

# %%
budget = [
    "data.n_samples=400",
    "data.n_val=60",
    "data.n_test=60",
    "data.max_depth=0",
    "data.max_length=7",
    "data.batch_size=32",
    "recipe.hidden_size=64",
    "recipe.decode_every=100",
    "optimizer.lr=0.005",
    "trainer.max_epochs=8",
]
ablation = probeta.study("attention_ablation", *budget, seeds=range(3), lang=lang)
ablation.table("test/loss")

# %%
ablation.figure("val/loss")

# %%
print(ablation.compare("with attention", "without attention", "test/loss"))
print(ablation.compare("with attention", "without attention", "test/chrf"))

# %%
for variant in ablation.variants:
    translations = ablation.run(variant).translate(["the child sees the dog .", "the teacher sings ."])
    print(f"{variant:>20}: {translations}")

# %% [markdown]
# With so few pairs neither of them translates well yet; the comparison is about who learns more from them. The two also
# differ in their number of parameters: attention has some of its own. Exercise 17 makes them equal.
#
# ## Does the weight explain the word?
#
# A weight says what was mixed. Whether it matters can be tried: cut a link while the net reads, and see what it says
# then; or delete a source word, and see what becomes of the target word's probability. What a net loses without each
# word is the reference that explanations are held to:
#
# $$\text{explained} = \frac{A_\text{random} - A}{A_\text{random} - A_\text{left out}}$$
#
# with $A$ the area under the curve of the word's probability as the source words that an explanation names first are
# deleted. 0 is no better than a random order, 1 is as good as leaving out each word and looking.

# %%
attentive = ablation.run("with attention")
probe = probeta.probe("attention", f"run={attentive.path}", "probe.sentences=20", "probe.path_steps=4", lang=lang)
for name in ("explained/weight", "explained/gradient", "cut/top", "cut/others"):
    print(f"{name:>20}: {probe.metrics['explain/' + name]:.3f}")

# %%
probe.figure("explanations")

# %% [markdown]
# `cut` is how much a cut link changes what is said at its step, in bits: that of the most attended word (`top`), and
# of any other. An explanation may find the right words and still not be the best one: look at the gradient.
# `study=attention_explains` asks it of every kind of attention, with intervals over seeds and sentences; on a
# translator's page a click on a word, a cell or a head removes it.
#
# ## Your turn
#
# Change one thing: the kind of attention (`attention=additive,dot,general,scaled_dot`), or how long the sentences are
# (`data.max_length=12`). Does the gap grow with length?

# %%
change = "attention=additive,general"
mine = probeta.sweep(
    "data=grammar", "model=seq2seq_attn", *budget[:-1], "trainer.max_epochs=3", change, seeds=range(2), lang=lang
)
mine.table("test/loss")

# %% [markdown]
# ## Exercises
#
# Each call runs a study of its own, which takes a while, and writes a page with the answer.
#
# * `probeta.exercise(17)`: with and without attention, at the same updates and the same number of parameters.
# * `probeta.exercise(18)`: what attention looks like (diagonal, jumps, repetitions), and a change that may align it.
