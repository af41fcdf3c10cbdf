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
# # 6. Recurrent nets, and how far they remember
#
# **Question.** What can a state carry through time, and why does the gradient lose its way?
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
# ## A state
#
# A recurrent net reads a sequence one element at a time and keeps what it needs in a state:
#
# $$h_t = \tanh(W_{xh}\,x_t + W_{hh}\,h_{t-1} + b)$$
#
# With three numbers it is already a machine of three states, −1, 0 and 1: the input 1 goes one state down, −1 goes one
# up, and at the ends it stays. With $W_{xh}=-10$, $W_{hh}=10$, $b=0$ the tanh saturates, and a saturated tanh is a
# switch. Can the weights also be found by training, from examples alone?

# %%
machine = probeta.probe("state_machine", "probe.restarts=8", "probe.updates=300", lang=lang)

# %%
machine.figure("states")

# %%
machine.figure("learning")

# %% [markdown]
# ## Back through time
#
# The gradient at an early state is a product again, now with the same matrix in every factor:
#
# $$\frac{\partial L}{\partial h_t} = \left(\prod_{s=t+1}^{T} W_{hh}^\top\,\mathrm{diag}(1-h_s^2)\right)\frac{\partial L}{\partial h_T}$$
#
# If the largest singular value of $W_{hh}$ is below 1, it vanishes at least that fast (Pascanu et al., 2013). The LSTM
# lets its cell pass by addition, $c_t = f_t\odot c_{t-1} + i_t\odot g_t$, where gates decide what is forgotten ($f$),
# written ($i$) and shown ($o$); the GRU does it with two gates. Nothing is trained here either:

# %%
length = probeta.probe("length", "probe.seeds=8", "probe.lengths=[10,20,40,80]", lang=lang)

# %%
length.figure("state_gradient_by_distance")

# %% [markdown]
# Compare that with the gradient of the *weight*, which sums over all steps. The last steps keep it alive, and its norm
# hides that nothing comes from far away:

# %%
length.figure("weight_gradient_by_length")

# %%
table = length.measurements()
weight = table[table["quantity"] == "weight_gradient"]
weight.groupby(["cell", "length"])["value"].mean().unstack("length")

# %% [markdown]
# ## Your turn
#
# Change one thing: larger recurrent weights (`probe.recurrent_scale=2`: does it explode?), or gates that begin open
# (`probe.gate_bias=2`, as Jozefowicz et al. advised in 2015). Read the fitted rate of each cell before and after.

# %%
change = "probe.gate_bias=2"
mine = probeta.probe("length", change, "probe.seeds=8", "probe.lengths=[10,20,40,80]", lang=lang)
mine.figure("state_gradient_by_distance")

# %% [markdown]
# ## Exercises
#
# The call runs a study of its own and writes a page with the answer.
#
# * `probeta.exercise(15)`: gradient norm against length for RNN, LSTM and GRU. How far back is each of them stable?
