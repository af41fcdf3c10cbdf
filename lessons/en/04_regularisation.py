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
# ## The gap
#
# A model with enough weights can learn its training set by heart, noise and all. What it gains there, it may lose
# elsewhere. Few points, much noise, many units:

# %%
noisy = ["experiment=moons_mlp", "data.n_samples=150", "data.noise=0.35", "model.width=256"]
noisy += ["optimizer=adam", "optimizer.lr=0.01", "callbacks.early_stopping.patience=null"]
free = probeta.train(*noisy, lang=lang)
free.figure("loss")

# %%
print(f"train {free.metrics['train/acc']:.3f}   test {free.metrics['test/acc']:.3f}")

# %% [markdown]
# ## Four remedies
#
# **An L2 penalty** prefers small weights. Its gradient pulls every weight towards zero in each step:
#
# $$\tilde L = L + \tfrac{\lambda}{2}{\lVert w\rVert}^2, \qquad \nabla\tilde L = \nabla L + \lambda w$$
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
# cure a patient who is ill: these moons have many points and little noise. So the same question, where it hurts: the
# noisy points from above. (That it hurts there was found with other seeds than these.)

# %%
sick = probeta.sweep(*noisy, "model.dropout=0.0,0.3,0.6", seeds=range(8), lang=lang)
sick.table("val/loss")

# %%
sick.figure("val/loss")

# %%
for rate in ("0.3", "0.6"):
    print(sick.compare(f"dropout={rate}", "dropout=0.0", "val/loss"))

# %% [markdown]
# The seeds draw weights and masks; the 150 points are the same for all. So the interval is about training on *these*
# points. What is learned of other points takes other points: `"data.seed=range(8)"` with `"zip=[seed,data.seed]"` gives
# each seed its own. Then losses vary much more, from an easy draw to a hard one, and the same remedy is harder to tell.
#
# ## Your turn
#
# Change one thing: the penalty (`optimizer.weight_decay=0,0.001,0.01,0.1`), the patience
# (`callbacks.early_stopping.patience=3,20,null`), the points (`data.n_samples=100,300,1200`).

# %%
change = "optimizer.weight_decay=0,0.01,0.1"
mine = probeta.sweep(*noisy, change, seeds=range(5), lang=lang)
mine.table("test/loss")

# %% [markdown]
# ## Exercises
#
# Each call runs a study of its own, of a few minutes, and writes a page with the answer.
#
# * `probeta.exercise(9)`: baseline, L2, dropout and batch normalisation, everything else held fixed.
# * `probeta.exercise(10)`: early stopping, patience against `min_delta`. When does it stop, and what does it cost?
# * `probeta.exercise(11)`: whose probabilities can be believed? Calibration before and after temperature scaling.
