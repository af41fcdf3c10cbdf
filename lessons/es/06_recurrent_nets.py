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
# # 6. Redes recurrentes: hasta dónde llega su memoria
#
# **Pregunta.** ¿Qué puede transportar un estado a través del tiempo, y por qué se pierde el gradiente por el camino?
#
# La primera celda instala probeta donde falte. En Colab, `repository` ha de ser `git+` y la dirección de tu copia del
# repositorio.

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

lang = "es"

# %% [markdown]
# ## Un estado
#
# Una red recurrente lee una secuencia elemento a elemento y guarda lo que necesita en un estado:
#
# $$h_t = \tanh(W_{xh}\,x_t + W_{hh}\,h_{t-1} + b)$$
#
# Con tres números ya es una máquina de tres estados, −1, 0 y 1: la entrada 1 lleva al estado inferior, la −1 al
# superior, y en los extremos no se mueve. Con $W_{xh}=-10$, $W_{hh}=10$ y $b=0$ la tanh se satura, y una tanh saturada
# es un interruptor. ¿Se pueden encontrar también esos pesos entrenando, solo a partir de ejemplos?

# %%
machine = probeta.probe("state_machine", "probe.restarts=8", "probe.updates=300", lang=lang)

# %%
machine.figure("states")

# %%
machine.figure("learning")

# %% [markdown]
# ## Hacia atrás en el tiempo
#
# El gradiente en un estado temprano vuelve a ser un producto, ahora con la misma matriz en cada factor:
#
# $$\frac{\partial L}{\partial h_t} = \left(\prod_{s=t+1}^{T} W_{hh}^\top\,\mathrm{diag}(1-h_s^2)\right)\frac{\partial L}{\partial h_T}$$
#
# Si el mayor valor singular de $W_{hh}$ es menor que 1, se desvanece al menos a ese ritmo (Pascanu et al., 2013). La
# LSTM actualiza su celda con una suma, $c_t = f_t\odot c_{t-1} + i_t\odot g_t$, y unas puertas deciden qué se olvida
# ($f$), qué se escribe ($i$) y qué se muestra ($o$); la GRU lo hace con dos puertas. Tampoco aquí se entrena nada:

# %%
length = probeta.probe("length", "probe.seeds=8", "probe.lengths=[10,20,40,80]", lang=lang)

# %%
length.figure("state_gradient_by_distance")

# %% [markdown]
# Compáralo con el gradiente del *peso*, que suma todos los pasos. Los últimos lo mantienen vivo, y su norma no deja
# ver que de lejos no llega nada:

# %%
length.figure("weight_gradient_by_length")

# %%
table = length.measurements()
weight = table[table["quantity"] == "weight_gradient"]
weight.groupby(["cell", "length"])["value"].mean().unstack("length")

# %% [markdown]
# ## Te toca
#
# Cambia una sola cosa: pesos recurrentes mayores (`probe.recurrent_scale=2`: ¿explota?) o puertas que empiezan
# abiertas (`probe.gate_bias=2`, como aconsejaron Jozefowicz et al. en 2015). Lee la tasa ajustada de cada celda antes
# y después.

# %%
change = "probe.gate_bias=2"
mine = probeta.probe("length", change, "probe.seeds=8", "probe.lengths=[10,20,40,80]", lang=lang)
mine.figure("state_gradient_by_distance")

# %% [markdown]
# ## Ejercicios
#
# La llamada ejecuta su propio estudio y escribe una página con la respuesta.
#
# * `probeta.exercise(15, lang="es")`: norma del gradiente frente a la longitud en RNN, LSTM y GRU. ¿Hasta qué
#   distancia es estable cada una?
