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
# # 5. Optimizers and schedules
#
# **Question.** Which optimizer is better, and what would a fair comparison be?
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
# ## Three rules
#
# All of them follow the gradient $g_t$. **Momentum** keeps the direction of earlier steps:
#
# $$v_t = \mu v_{t-1} + g_t, \qquad w_t = w_{t-1} - \eta v_t$$
#
# **Adam** (Kingma and Ba, 2015) gives each weight a step of its own, from running means of the gradient and its
# square:
#
# $$w_t = w_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t}+\varepsilon}, \qquad
#   m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \quad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2$$
#
# **AdamW** (Loshchilov and Hutter, 2019) takes weight decay out of the gradient, where Adam would divide it by
# $\sqrt{\hat v_t}$, and shrinks the weights directly: $w_t \leftarrow w_t - \eta\lambda w_{t-1}$.
#
# ## The learning rate comes first
#
# A rate that suits one optimizer does not suit another. To compare them at the same rate is to choose the winner. So
# each one gets the same search on validation data, with seeds of its own, and only then the comparison:

# %%
search = "study.search.params={optimizer.lr: '0.003,0.03,0.3'}"
optimizers = probeta.study("optimizers", search, "trainer.max_epochs=150", seeds=range(4), lang=lang)
optimizers.table("val/loss")

# %%
optimizers.figure("train/loss")

# %%
for variant in optimizers.variants[1:]:
    print(optimizers.compare(optimizers.variants[0], variant, "val/loss"))

# %% [markdown]
# A band that reaches low first is fast; one that ends low is good. They need not be the same one.
#
# ## The edge of stability
#
# On a parabola of curvature $\lambda$ gradient descent with rate $\eta$ converges while $\lambda < 2/\eta$. A net
# is no parabola, and yet that number rules it: here is the greatest eigenvalue of the Hessian over $2/\eta$, while
# a net learns from the full batch.

# %%
only = "study.only=['rate 0.2','rate 0.5']"
edge = probeta.study("edge_of_stability", only, "trainer.max_epochs=600", seeds=range(4), lang=lang)
edge.figure("curvature/relative")

# %% [markdown]
# The net gets sharper until it stands at 1, the edge, whatever the rate, and then stays there (Cohen et al., 2021):
# the rate chooses how sharp a minimum can be. A small rate is not the same path walked slowly.
#
# ## A rate that changes
#
# Far from the minimum a large step saves time, near it a small one avoids jumping over. Half a cosine goes from one to
# the other over $T$ steps:
#
# $$\eta_t = \eta_{\min} + \tfrac12(\eta_{\max}-\eta_{\min})\left(1+\cos\frac{\pi t}{T}\right)$$
#
# A warm-up rises from zero first, while the running means of Adam, or a net just drawn, still settle.

# %%
schedules = probeta.study("schedulers", "trainer.max_epochs=100", seeds=range(4), lang=lang)
schedules.figure("lr")

# %%
schedules.figure("train/loss")

# %%
schedules.table("val/loss")

# %%
for variant in schedules.variants[1:]:
    print(schedules.compare(variant, schedules.variants[0], "val/loss"))

# %% [markdown]
# A schedule spends less rate in all than the constant it starts from. On a small problem, where the constant does not
# bounce, that alone can make it slower.
#
# ## Your turn
#
# Change one thing: the rate from which the schedules start (`optimizer.lr=1.0`), the length they are planned for
# (`trainer.max_epochs=300`), the momentum (`optimizer.momentum=0.0`). When does a schedule begin to pay?

# %%
change = "optimizer.lr=1.0"
mine = probeta.study("schedulers", "trainer.max_epochs=100", change, "name=mine", seeds=range(4), lang=lang)
mine.table("val/loss")

# %% [markdown]
# ## Exercises
#
# Each call runs a study of its own, of a few minutes, and writes a page with the answer.
#
# * `probeta.exercise(12)`: SGD with momentum, Adam and AdamW, each at its own best learning rate.
# * `probeta.exercise(13)`: cosine decay with and without warm-up.
# * `probeta.exercise(14)`: the same weight decay in Adam and in AdamW. Why are they not equivalent?
