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
# # 1. From the perceptron to the MLP
#
# **Question.** Which problems does a straight line solve, and what does a hidden layer add?
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
# ## A line, learned from its mistakes
#
# The perceptron weighs its inputs and takes a side:
#
# $$\hat y = \begin{cases} 1 & \text{if } \mathbf{w}\cdot\mathbf{x} + b \ge 0\\ 0 & \text{otherwise}\end{cases}$$
#
# It only learns where it errs. Each wrong point pulls the line towards its own side, with step $\eta$:
#
# $$\mathbf{w} \leftarrow \mathbf{w} + \eta\,(y-\hat y)\,\mathbf{x}, \qquad b \leftarrow b + \eta\,(y-\hat y)$$
#
# If some line separates the two classes, the number of corrections is finite (Novikoff, 1962), and the smaller the
# margin, the more it may take. These two classes were drawn on the two sides of a line and then pushed apart.

# %%
separable = probeta.train("experiment=perceptron", lang=lang)
separable.figure("boundary")

# %%
separable.figure("errors")

# %% [markdown]
# ## Where no line is enough
#
# Two moons reach into each other. The same perceptron keeps correcting itself, and what it gains on one side it loses
# on the other.

# %%
line = probeta.train("data=moons", "model=perceptron", lang=lang)
line.figure("boundary")

# %% [markdown]
# ## A hidden layer
#
# A multilayer perceptron (MLP) puts a nonlinear function between two linear ones:
#
# $$\mathbf{h} = \mathrm{ReLU}(W_1\mathbf{x} + \mathbf{b}_1), \qquad
#   p(c\mid\mathbf{x}) = \mathrm{softmax}(W_2\mathbf{h} + \mathbf{b}_2)_c$$
#
# Without the ReLU in the middle, two linear layers are again one linear layer. It learns by gradient descent on the
# cross-entropy $L = -\frac1N\sum_i \log p(y_i\mid\mathbf{x}_i)$, which, unlike the count of errors, has a slope.

# %%
mlp = probeta.train("experiment=moons_mlp", lang=lang)
mlp.figure("boundary")

# %%
mlp.figure("loss")

# %%
gap = mlp.metrics["train/acc"] - mlp.metrics["val/acc"]
print(f"{line.metrics['test/acc']:.3f} → {mlp.metrics['test/acc']:.3f}   (train − val: {gap:+.3f})")

# %% [markdown]
# A model answers for any point, with a probability for each class:

# %%
mlp.predict([[0.0, 1.0], [1.0, -0.5], [0.5, 0.25]])

# %% [markdown]
# ## One run is an anecdote
#
# The initial weights are drawn at random. Would you have seen the same with another seed? Three widths, each with the
# same ten seeds: a mean, its spread, and the 95 % interval of the mean.

# %%
widths = probeta.sweep("experiment=moons_mlp", "model.width=2,8,64", seeds=range(10), lang=lang)
widths.table("test/acc")

# %% [markdown]
# The seeds are shared, so the widths are compared in pairs, seed by seed. A p-value is corrected for the number of
# comparisons made: who asks often enough finds something by chance.

# %%
print(widths.compare("width=8", "width=2"))
print(widths.compare("width=64", "width=8"))

# %%
widths.figure("val/loss")

# %% [markdown]
# Where a band is wide, the outcome depends on where the weights began: with two units, a bad start may leave one of
# them dead for good.
#
# ## Your turn
#
# Change one thing and run the cell again: the optimizer's step (`optimizer.lr=0.02,0.2,1.0`), the noise of the moons
# (`data.noise=0.05,0.15,0.3`), the depth (`model.depth=1,2,3`), or the optimizer itself (`optimizer=adam`, and its
# `optimizer.lr=0.003`). Guess the order before you look.

# %%
change = "optimizer.lr=0.02,0.2,1.0"
mine = probeta.sweep("experiment=moons_mlp", change, seeds=range(5), lang=lang)
mine.table("test/acc")

# %% [markdown]
# ## Exercises
#
# Each call runs a study of its own, of a few minutes, and writes a page with the answer.
#
# * `probeta.exercise(1)`: the perceptron becomes logistic regression. What changes when the loss has a slope?
# * `probeta.exercise(2)`: width against depth. When does more capacity stop helping?
# * `probeta.exercise(3)`: one class is rare. What does a weighted loss buy, and what does it cost?
