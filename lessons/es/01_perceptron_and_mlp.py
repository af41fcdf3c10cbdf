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
# # 1. Del perceptrón al MLP
#
# **Pregunta.** ¿Qué problemas se resuelven con una recta, y qué aporta una capa oculta?
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
# ## Una recta que aprende de sus errores
#
# El perceptrón pondera sus entradas y toma partido:
#
# $$\hat y = \begin{cases} 1 & \text{si } \mathbf{w}\cdot\mathbf{x} + b \ge 0\\ 0 & \text{si no}\end{cases}$$
#
# Solo aprende cuando se equivoca. Cada punto mal clasificado atrae la recta hacia su lado, con un paso $\eta$:
#
# $$\mathbf{w} \leftarrow \mathbf{w} + \eta\,(y-\hat y)\,\mathbf{x}, \qquad b \leftarrow b + \eta\,(y-\hat y)$$
#
# Si existe alguna recta que separe las dos clases, el número de correcciones es finito (Novikoff, 1962); cuanto menor
# es el margen, más pueden hacer falta. Estas dos clases se sortearon a ambos lados de una recta y luego se alejaron de
# ella.

# %%
separable = probeta.train("experiment=perceptron", lang=lang)
separable.figure("boundary")

# %%
separable.figure("errors")

# %% [markdown]
# ## Cuando una recta no basta
#
# Dos lunas se entrelazan. El mismo perceptrón no deja de corregirse: lo que gana por un lado lo pierde por el otro.

# %%
line = probeta.train("data=moons", "model=perceptron", lang=lang)
line.figure("boundary")

# %% [markdown]
# ## Una capa oculta
#
# Un perceptrón multicapa (MLP) intercala una función no lineal entre dos lineales:
#
# $$\mathbf{h} = \mathrm{ReLU}(W_1\mathbf{x} + \mathbf{b}_1), \qquad
#   p(c\mid\mathbf{x}) = \mathrm{softmax}(W_2\mathbf{h} + \mathbf{b}_2)_c$$
#
# Sin la ReLU de en medio, dos capas lineales vuelven a ser una sola. El MLP aprende por descenso de gradiente sobre la
# entropía cruzada $L = -\frac1N\sum_i \log p(y_i\mid\mathbf{x}_i)$, que, a diferencia del número de errores, tiene
# pendiente.

# %%
mlp = probeta.train("experiment=moons_mlp", lang=lang)
mlp.figure("boundary")

# %%
mlp.figure("loss")

# %%
gap = mlp.metrics["train/acc"] - mlp.metrics["val/acc"]
print(f"{line.metrics['test/acc']:.3f} → {mlp.metrics['test/acc']:.3f}   (train − val: {gap:+.3f})")

# %% [markdown]
# El modelo responde para cualquier punto, con la probabilidad de cada clase:

# %%
mlp.predict([[0.0, 1.0], [1.0, -0.5], [0.5, 0.25]])

# %% [markdown]
# ## Una sola ejecución es una anécdota
#
# Los pesos iniciales se sortean. ¿Habrías visto lo mismo con otra semilla? Tres anchuras, cada una con las mismas diez
# semillas: la media, su dispersión y el intervalo del 95 % de la media.

# %%
widths = probeta.sweep("experiment=moons_mlp", "model.width=2,8,64", seeds=range(10), lang=lang)
widths.table("test/acc")

# %% [markdown]
# Como las semillas son compartidas, las anchuras se comparan por parejas, semilla a semilla. El valor p se corrige
# según el número de comparaciones: quien pregunta muchas veces acaba encontrando algo por azar.

# %%
print(widths.compare("width=8", "width=2"))
print(widths.compare("width=64", "width=8"))

# %%
widths.figure("val/loss")

# %% [markdown]
# Donde la banda es ancha, el resultado depende del punto de partida de los pesos: con dos neuronas, un mal comienzo
# puede dejar una de ellas muerta para siempre.
#
# ## Te toca
#
# Cambia una sola cosa y vuelve a ejecutar la celda: la tasa de aprendizaje (`optimizer.lr=0.02,0.2,1.0`), el ruido de
# las lunas (`data.noise=0.05,0.15,0.3`), la profundidad (`model.depth=1,2,3`) o el propio optimizador
# (`optimizer=adam`, con su `optimizer.lr=0.003`). Apuesta por un orden antes de mirar.

# %%
change = "optimizer.lr=0.02,0.2,1.0"
mine = probeta.sweep("experiment=moons_mlp", change, seeds=range(5), lang=lang)
mine.table("test/acc")

# %% [markdown]
# ## Ejercicios
#
# Cada llamada ejecuta su propio estudio, de unos minutos, y escribe una página con la respuesta.
#
# * `probeta.exercise(1, lang="es")`: el perceptrón se convierte en regresión logística. ¿Qué cambia cuando la pérdida
#   tiene pendiente?
# * `probeta.exercise(2, lang="es")`: anchura frente a profundidad. ¿Cuándo deja de ayudar tener más capacidad?
# * `probeta.exercise(3, lang="es")`: una clase es poco frecuente. ¿Qué se gana con una pérdida ponderada, y qué se
# paga?
