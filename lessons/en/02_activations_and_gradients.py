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
# # 2. Activations, and what becomes of the gradient
#
# **Question.** Why could deep networks not be trained for so long?
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
# ## A product of many factors
#
# With $h_i = \sigma(W_i h_{i-1} + b_i)$, the gradient at the input of $k$ layers is a product of $k$ matrices:
#
# $$\frac{\partial L}{\partial x} = \left(\prod_{i=1}^{k} W_i^\top \,\mathrm{diag}\,\sigma'(z_i)\right)\frac{\partial L}{\partial h_k}$$
#
# Each factor makes it shorter or longer, and $k$ of them do so exponentially. The derivatives differ:
#
# | activation | $\sigma(z)$ | $\sigma'(z)$ |
# |---|---|---|
# | sigmoid | $1/(1+e^{-z})$ | $\sigma(1-\sigma) \le 1/4$ |
# | tanh | $\tanh z$ | $1-\tanh^2 z \le 1$ |
# | ReLU | $\max(0, z)$ | 0 or 1 |
# | GELU | $z\,\Phi(z)$ | $\Phi(z) + z\,\varphi(z)$ |
#
# Nothing is trained here: networks are drawn at random, a gradient is sent through, and its length is measured.

# %%
depth = probeta.probe("depth", "probe.seeds=16", lang=lang)

# %%
depth.figure("gradient_by_depth")

# %% [markdown]
# The axis is logarithmic: a straight line is an exponential. What a layer multiplies the gradient by, on average:

# %%
import numpy as np

table = depth.measurements()
at_input = table[(table["layer"] == 0) & (table["gradient_norm"] > 0)]
norms = at_input.groupby(["activation", "depth"])["gradient_norm"].apply(lambda g: np.exp(np.log(g).mean())).unstack()
rate = (norms[40] / norms[10]) ** (1 / 30)
rate.rename("factor per layer").to_frame()

# %% [markdown]
# ## Initial weights
#
# The factor also has $W_i$ in it. He et al. (2015) choose the variance of the weights, $2/n$, so that ReLU keeps the
# length of a signal; Glorot and Bengio (2010) choose $2/(n_\text{in}+n_\text{out})$ for symmetric functions.

# %%
he = probeta.probe("depth", "probe.init=he", "probe.seeds=16", lang=lang)
he.figure("gradient_by_depth")

# %% [markdown]
# ## The second derivative
#
# A gradient holds for small steps. How small, the Hessian $H_{ij}=\partial^2 L/\partial\theta_i\,\partial\theta_j$
# says: along a direction $d$ the loss is a parabola of curvature $d^\top H d$. Nobody writes $H$ down; $Hv$ is the
# gradient of $g^\top v$, one more pass backwards (Pearlmutter, 1994), and that is enough for its eigenvalues:

# %%
curved = probeta.probe("curvature", "model.activation=tanh", "probe.seeds=4", lang=lang)
curved.figure("spectrum")

# %% [markdown]
# Nearly all directions are flat. A few are steep, and along some the loss bends down: initial weights are no
# minimum's neighbourhood. The steepest one, the *sharpness*, bounds the learning rate: more than $2/\lambda_{\max}$
# climbs. Lesson 5 shows what training makes of it.
#
# ## Does it matter for learning?
#
# The same network of six layers, with three activations and five seeds each:

# %%
deep = [
    "experiment=moons_mlp",
    "optimizer=adam",
    "optimizer.lr=0.003",
    "model.depth=6",
    "trainer.max_epochs=80",
]
learned = probeta.sweep(*deep, "model.activation=sigmoid,tanh,relu", seeds=range(5), lang=lang)
learned.table("val/loss")

# %%
learned.figure("train/loss")

# %%
print(learned.compare("activation=relu", "activation=sigmoid", "val/loss"))
print(learned.compare("activation=relu", "activation=tanh", "val/loss"))

# %% [markdown]
# ## Your turn
#
# Change one thing: a way around each layer (`probe.residual=true`), its scale (`probe.layer_norm=true`), both, or the
# size of the first weights (`probe.scale=2`). Which of them flattens every line at once?

# %%
change = "probe.residual=true"
mine = probeta.probe("depth", change, "probe.seeds=16", lang=lang)
mine.figure("gradient_by_depth")

# %% [markdown]
# ## Exercises
#
# Each call runs a study of its own, of a few minutes, and writes a page with the answer.
#
# * `probeta.exercise(4)`: the gradient of every layer while an MLP learns. Which layers learn first?
# * `probeta.exercise(5)`: ReLU against tanh and sigmoid: gradients, saturation, and the time to a target.
# * `probeta.exercise(6)`: first weights from too small to too large. Where does training break?
