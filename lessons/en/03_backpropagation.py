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
# # 3. Backpropagation, and how to check it
#
# **Question.** How do you know that a gradient is right?
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
# ## The chain rule, backwards
#
# A network is a composition, $L = f_k(f_{k-1}(\dots f_1(x)))$. Backpropagation multiplies its derivatives from the
# loss towards the input, so that each is computed once:
#
# $$\bar h_{i-1} = J_i^\top\,\bar h_i, \qquad \bar h_k = \frac{\partial L}{\partial h_k}$$
#
# Here by hand, for $L(\theta) = \sin\theta + \theta^2$ at $\theta = 0.7$, beside what automatic differentiation says:

# %%
import math

import torch

theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
(torch.sin(theta) + theta**2).backward()
print(math.cos(0.7) + 2 * 0.7, theta.grad.item())

# %% [markdown]
# ## A second opinion: finite differences
#
# The slope can also be measured, without any derivative, by two evaluations of the loss:
#
# $$\frac{\partial L}{\partial\theta} \approx \frac{L(\theta+\epsilon)-L(\theta-\epsilon)}{2\epsilon}$$
#
# Its error has two parts that pull in opposite directions: truncation falls as $\epsilon^2$, and rounding grows as
# $u/\epsilon$, with $u$ the precision of the number format. Look for the valley between them.

# %%
for power in range(1, 13):
    step = 10.0**-power
    slope = (math.sin(0.7 + step) + (0.7 + step) ** 2 - math.sin(0.7 - step) - (0.7 - step) ** 2) / (2 * step)
    print(f"ε = 1e-{power:02d}   error = {abs(slope - math.cos(0.7) - 1.4):.1e}")

# %%
scalar = probeta.probe("gradcheck", "probe.function=scalar", lang=lang)

# %%
scalar.figure("error_by_step")

# %% [markdown]
# ## A whole network
#
# Two gradients, one measured and one from backpropagation, are compared by their relative error:
#
# $$\frac{\lVert g_{\text{num}}-g_{\text{bp}}\rVert}{\lVert g_{\text{num}}\rVert+\lVert g_{\text{bp}}\rVert+10^{-12}}$$
#
# The two evaluations must be of the same function: no dropout, batch normalisation in evaluation mode, the same
# examples. Fifty parameters of each layer, in single and in double precision:

# %%
network = probeta.probe("gradcheck", "model.depth=2", lang=lang)

# %%
network.figure("error_by_layer")

# %%
errors = network.metrics["error/float32"], network.metrics["error/float64"]
print(f"float32 / float64 = {errors[0] / errors[1]:.0e}")

# %% [markdown]
# Single precision resolves about seven decimal digits and double precision sixteen: this is why gradients are checked
# in double.
#
# ## A bug, on purpose
#
# The middle layer now returns its gradient with the wrong sign. Training would go on without complaint; the check
# does not, and ends in an error:

# %%
try:
    probeta.probe("gradcheck", "model.depth=2", "probe.inject_bug=sign", "probe.dtypes=[float64]", lang=lang)
except RuntimeError as found:
    print(found)
    broken = found.run
broken.figure("error_by_layer")

# %% [markdown]
# A wrong layer also spoils the gradients of everything before it, since they pass through it. So the culprit is the
# last wrong layer before the right ones. `detach` cuts the gradient off, `sign` turns it round, `scale` stretches it:

# %%
hunt = probeta.probe("bug_hunt", "model.depth=2", lang=lang)

# %%
hunt.figure("bugs_by_layer")

# %% [markdown]
# ## Your turn
#
# Change one thing: another network (`"data=toy_pairs", "model=seq2seq_attn"`), another activation
# (`"model.activation=relu"`: has it a derivative at zero?), a step that is too large (`"probe.step=0.1"`).

# %%
change = ["model.activation=tanh", "model.depth=3"]
mine = probeta.probe("gradcheck", *change, lang=lang)
mine.figure("error_by_layer")

# %% [markdown]
# ## Exercises
#
# Each call runs a study of its own and writes a page with the answer.
#
# * `probeta.exercise(7)`: fifty parameters of every layer, in float32 and float64. What is the greatest error, and why?
# * `probeta.exercise(8)`: bugs in the backward pass. Does the check find each of them, and name its layer?
