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
# # 4. Regularisation
#
# **Question.** What helps a model on data that it has not seen, and how sure are you?
#
# The first cell installs probeta where it is missing. On Colab, replace the path that it installs from by `git+` and the
# address of your copy of the repository.

# %%
try:
    import probeta
except ImportError:
    import subprocess
    import sys

    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "../.."], check=True)
    import probeta

lang = "en"

# %% [markdown]
# ## The gap
#
# A model with enough weights can learn its training set by heart, noise and all. What it gains there, it may lose
# elsewhere. Few points, much noise, many units:

# %%
noisy = ["experiment=moons_mlp", "data.n_samples=300", "data.noise=0.3", "model.width=128", "optimizer=adam"]
free = probeta.train(*noisy, "optimizer.lr=0.02", "callbacks.early_stopping.patience=null")
free.figure("loss")

# %%
print(f"train {free.metrics['train/acc']:.3f}   test {free.metrics['test/acc']:.3f}")

# %% [markdown]
# ## Four remedies
#
# **An L2 penalty** prefers small weights. Its gradient pulls every weight towards zero in each step:
#
# $$\tilde L = L + \tfrac{\lambda}{2}\lVert w\rVert^2, \qquad \nabla\tilde L = \nabla L + \lambda w$$
#
# **Dropout** switches units off at random while training, with probability $p$, and makes up for the missing ones:
#
# $$\tilde h = \frac{m \odot h}{1-p}, \qquad m_j \sim \mathrm{Bernoulli}(1-p)$$
#
# **Batch normalisation** gives each unit mean $\beta$ and deviation $\gamma$ over the batch. In evaluation it uses
# running averages instead:
#
# $$\hat z = \gamma\,\frac{z-\mu_B}{\sqrt{\sigma_B^2+\varepsilon}} + \beta$$
#
# **Early stopping** keeps the weights of the epoch with the best validation loss, and gives up when that has not
# improved for `patience` epochs.

# %%
study = probeta.study("regularization", "trainer.max_epochs=200", seeds=range(5), lang=lang)
study.table("val/loss")

# %%
study.figure("val/loss")

# %% [markdown]
# All variants share their seeds, and each is compared with the baseline, in pairs:

# %%
for variant in study.variants[1:]:
    print(study.compare(variant, study.variants[0], "val/loss"))

# %% [markdown]
# "No difference shown" is not "no difference": the interval says how large one could still be. And a remedy can only
# cure a patient who is ill: these moons have many points and little noise. So the same question, where it hurts:

# %%
sick = probeta.sweep(*noisy, "optimizer.lr=0.02", "model.dropout=0.0,0.3,0.6", seeds=range(8), lang=lang)
sick.table("test/loss")

# %%
sick.figure("val/loss")

# %% [markdown]
# ## Your turn
#
# Change one thing: the penalty (`optimizer.weight_decay=0,0.001,0.01,0.1`), the patience
# (`callbacks.early_stopping.patience=3,20,null`), the points (`data.n_samples=100,300,1200`).

# %%
change = "optimizer.weight_decay=0,0.01,0.1"
mine = probeta.sweep(*noisy, "optimizer.lr=0.02", change, seeds=range(5), lang=lang)
mine.table("test/loss")

# %% [markdown]
# ## Exercises
#
# Each call runs a study of its own, of a few minutes, and writes a page with the answer.
#
# * `probeta.exercise(9)`: baseline, L2, dropout and batch normalisation, everything else held fixed.
# * `probeta.exercise(10)`: early stopping, patience against `min_delta`. When does it stop, and what does it cost?
# * `probeta.exercise(11)`: whose probabilities can be believed? Calibration before and after temperature scaling.
