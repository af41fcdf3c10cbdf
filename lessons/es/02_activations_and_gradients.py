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
# # 2. Las activaciones y la suerte del gradiente
#
# **Pregunta.** ¿Por qué se tardó tanto en saber entrenar redes profundas?
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
# ## Un producto de muchos factores
#
# Con $h_i = \sigma(W_i h_{i-1} + b_i)$, el gradiente en la entrada de una red de $k$ capas es un producto de $k$
# matrices:
#
# $$\frac{\partial L}{\partial x} = \left(\prod_{i=1}^{k} W_i^\top \,\mathrm{diag}\,\sigma'(z_i)\right)\frac{\partial L}{\partial h_k}$$
#
# Cada factor lo acorta o lo alarga, así que su norma cambia de forma exponencial con $k$. Las derivadas no son iguales:
#
# | activación | $\sigma(z)$ | $\sigma'(z)$ |
# |---|---|---|
# | sigmoide | $1/(1+e^{-z})$ | $\sigma(1-\sigma) \le 1/4$ |
# | tanh | $\tanh z$ | $1-\tanh^2 z \le 1$ |
# | ReLU | $\max(0, z)$ | 0 o 1 |
# | GELU | $z\,\Phi(z)$ | $\Phi(z) + z\,\varphi(z)$ |
#
# Aquí no se entrena nada: se sortean redes, se retropropaga un gradiente y se mide su norma.

# %%
depth = probeta.probe("depth", "probe.seeds=16", lang=lang)

# %%
depth.figure("gradient_by_depth")

# %% [markdown]
# El eje es logarítmico: una recta es una exponencial. Este es el factor por el que cada capa multiplica el gradiente,
# en promedio:

# %%
import numpy as np

table = depth.measurements()
at_input = table[(table["layer"] == 0) & (table["gradient_norm"] > 0)]
norms = at_input.groupby(["activation", "depth"])["gradient_norm"].apply(lambda g: np.exp(np.log(g).mean())).unstack()
rate = (norms[40] / norms[10]) ** (1 / 30)
rate.rename("factor per layer").to_frame()

# %% [markdown]
# ## Los pesos iniciales
#
# Cada factor contiene también $W_i$. He et al. (2015) eligen la varianza de los pesos, $2/n$, para que la ReLU
# conserve la norma de la señal; Glorot y Bengio (2010) eligen $2/(n_\text{in}+n_\text{out})$ para funciones
# simétricas.

# %%
he = probeta.probe("depth", "probe.init=he", "probe.seeds=16", lang=lang)
he.figure("gradient_by_depth")

# %% [markdown]
# ## La segunda derivada
#
# Un gradiente vale para pasos pequeños. Cuánto de pequeños lo dice el hessiano
# $H_{ij}=\partial^2 L/\partial\theta_i\,\partial\theta_j$: a lo largo de una dirección $d$, la pérdida es una
# parábola de curvatura $d^\top H d$. Nadie escribe $H$ entero; $Hv$ es el gradiente de $g^\top v$, una pasada más
# hacia atrás (Pearlmutter, 1994), y con eso basta para hallar sus valores propios:

# %%
curved = probeta.probe("curvature", "model.activation=tanh", "probe.seeds=4", lang=lang)
curved.figure("spectrum")

# %% [markdown]
# Casi todas las direcciones son planas. Unas pocas son empinadas, y a lo largo de algunas la pérdida se curva hacia
# abajo: los pesos iniciales no están cerca de ningún mínimo. La más empinada, la *curvatura máxima*, limita la tasa de
# aprendizaje: con más de $2/\lambda_{\max}$ se sube. La lección 5 muestra qué hace con ella el entrenamiento.
#
# ## ¿Importa para aprender?
#
# La misma red de seis capas, con tres activaciones y cinco semillas cada una:

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
# ## Te toca
#
# Cambia una sola cosa: un atajo alrededor de cada capa (`probe.residual=true`), su escala (`probe.layer_norm=true`),
# ambos a la vez, o el tamaño de los primeros pesos (`probe.scale=2`). ¿Cuál de ellos endereza todas las curvas de
# golpe?

# %%
change = "probe.residual=true"
mine = probeta.probe("depth", change, "probe.seeds=16", lang=lang)
mine.figure("gradient_by_depth")

# %% [markdown]
# ## Ejercicios
#
# Cada llamada ejecuta su propio estudio, de unos minutos, y escribe una página con la respuesta.
#
# * `probeta.exercise(4, lang="es")`: el gradiente de cada capa mientras aprende un MLP. ¿Qué capas aprenden primero?
# * `probeta.exercise(5, lang="es")`: ReLU frente a tanh y sigmoide: gradientes, saturación y tiempo hasta un
#   objetivo.
# * `probeta.exercise(6, lang="es")`: pesos iniciales, de demasiado pequeños a demasiado grandes. ¿Dónde se rompe el
#   entrenamiento?
