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
# # 9. From attention to the Transformer
#
# **Question.** If attention can reach every word, what are the other parts for?
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
# ## Attention without recurrence
#
# The Transformer (Vaswani et al., 2017) drops the recurrent net. Every position asks all positions at once, with
# queries, keys and values made from the same sequence:
#
# $$\mathrm{Attention}(Q,K,V) = \mathrm{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V$$
#
# The root keeps the scores at the scale of 1: a sum of $d_k$ products of independent terms of variance 1 has variance
# $d_k$, and a softmax of large numbers is saturated. Here in five lines:

# %%
import torch

torch.manual_seed(0)
queries = torch.randn(64, 512)
keys = torch.randn(64, 512)
scores = queries @ keys.T
for name, scaled in (("QKᵀ", scores), ("QKᵀ/√d", scores / 512**0.5)):
    print(
        f"{name:>7}: std {scaled.std():.2f}, largest weight {torch.softmax(scaled, dim=-1).max(dim=-1).values.mean():.2f}"
    )

# %% [markdown]
# Attention alone is not enough. What stands around it:
#
# * **Positions.** A set has no order. Permute the words, and attention gives the same answers, permuted. So the
#   position
#   is added to each word.
# * **Residual connections.** $x + f(x)$ has the derivative $I + J_f$: the gradient has a way on which nothing shrinks
#   it.
# * **Normalisation.** $\hat x = \gamma\odot(x-\mu)/\sigma + \beta$, over the units of each position, keeps the scale
#   from
#   growing from layer to layer.
# * **Feed-forward.** $W_2\,\mathrm{ReLU}(W_1 x + b_1) + b_2$, the MLP of lesson 1 at every position: attention mixes
#   words, and this computes with them.
#
# You have met two of them already, where the gradient vanished with depth:

# %%
plain = probeta.probe("depth", "probe.seeds=8", "probe.activations=[relu]", lang=lang)
mended = probeta.probe(
    "depth", "probe.seeds=8", "probe.activations=[relu]", "probe.residual=true", "probe.layer_norm=true", lang=lang
)
plain.figure("gradient_by_depth")

# %%
mended.figure("gradient_by_depth")

# %% [markdown]
# ## Each part taken away
#
# One Transformer, five times, on the sentences of a small grammar: whole, and without one part. Everything else is held
# fixed, the seeds too.

# %%
parts = {
    "full": [],
    "no residual connections": ["model.residual=false"],
    "no layer norm": ["model.norm=none"],
    "no positions": ["model.positions=none"],
    "no feed-forward": ["model.feed_forward=0"],
}
variants = ", ".join(f"{name}: [{', '.join(repr(line) for line in lines)}]" for name, lines in parts.items())
budget = [
    "data.n_samples=240",
    "data.n_val=60",
    "data.n_test=60",
    "data.max_depth=0",
    "data.max_length=7",
    "recipe.decode_every=100",
    "model.encoder_layers=1",
    "model.decoder_layers=1",
    "optimizer.lr=0.01",
    "scheduler.warmup_steps=40",
    "trainer.max_epochs=5",
    "hydra/launcher=basic",
]
chosen = ["~study.variants", f"+study.variants={{{variants}}}"]
ablation = probeta.study("transformer_ablation", *budget, *chosen, seeds=range(2), lang=lang)
ablation.table("test/loss")

# %%
ablation.figure("val/loss")

# %%
for part in list(parts)[1:]:
    print(ablation.compare(part, "full", "test/loss"))

# %% [markdown]
# Read the verdicts, not the order of the rows: two seeds decide only very large differences. And a part is worth what
# it is worth *here*. With one layer there is not much depth to be normalised, and in short sentences of fixed shape the
# order of the words tells little; a part may even be in the way. That is a result too, and the reason to ask again on a
# larger scale: `probeta.study("transformer_ablation")` is the same question with 6,000 pairs, two layers and five
# seeds, and takes hours.
#
# ## Your turn
#
# Change one thing: the depth (`model.encoder_layers=3`, `model.decoder_layers=3` in `budget`), or another part
# (`model.heads=1`, `model.positions=rotary`, `model.norm=post`, `model.dropout=0`).

# %%
change = "model.heads=1"
short = [line for line in budget if "max_epochs" not in line and "launcher" not in line]
common = ["data=grammar", "model=transformer", "optimizer=adam", "scheduler=inverse_sqrt", "data.batch_size=32"]
mine = probeta.train(*common, *short, "trainer.max_epochs=3", change, lang=lang)
mine.figure("loss")

# %% [markdown]
# ## Exercises
#
# There is none of its own for this lesson: it is the last step of a path. Three suggestions, each one line of code.
#
# * At which depth do residual connections begin to matter? (`model.encoder_layers=1,2,4` and
#   `model.residual=true,false`)
# * Train on short sentences and test on long ones (`data.split=length`). Which positions carry over?
# * Compare this Transformer with the recurrent net of lesson 8 on the same pairs. Who needs more of them?
