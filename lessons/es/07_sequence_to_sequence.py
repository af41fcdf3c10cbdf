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
# # 7. De secuencia a secuencia
#
# **Pregunta.** ¿Cabe una oración en un vector, y cómo se distingue aprender de memorizar?
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
# ## Codificador y decodificador
#
# Una red recurrente lee el origen; su último estado es todo lo que llega a ver la segunda, que escribe el destino:
#
# $$c = h_S^{\text{enc}}, \qquad
#   p(y \mid x) = \prod_{t=1}^{T} p(y_t \mid y_{<t}, c), \qquad
#   p(y_t\mid y_{<t}, c) = \mathrm{softmax}(W h_t^{\text{dec}})$$
#
# Durante el entrenamiento, el decodificador recibe la palabra anterior correcta (*teacher forcing*) o bien la suya.
# Al traducir solo tiene las suyas, hasta que escribe `<eos>`.
#
# Catorce pares de inglés y alemán, doce de ellos para entrenar. Primero comprueba que se puedan aprender de memoria:
# un modelo que no lo consigue tiene un fallo, y ese fallo no se arregla con más datos.

# %%
run = probeta.train("experiment=toy_seq2seq", "trainer.max_epochs=150", "recipe.decode_every=50", lang=lang)

# %%
run.figure("loss")

# %%
run.translate(["i like books", "he is a student", "how are you", "i am fine"])

# %% [markdown]
# Las dos últimas no estaban en el entrenamiento, ni tampoco ninguna de sus palabras alemanas. El decodificador no
# puede escribir una palabra que no conoce: lo que escribe está hecho siempre de palabras que ha visto.
#
# ## Contar coincidencias
#
# BLEU compara n-gramas con la referencia y castiga lo que se queda corto ($c$ y $r$ son las longitudes):
#
# $$\mathrm{BLEU} = \min\left(1, e^{1-r/c}\right)\left(\prod_{n=1}^{4} p_n\right)^{1/4}$$
#
# Una oración de tres palabras no tiene ningún 4-grama, así que, oración por oración, hay que suavizar un producto de
# ceros, que queda muy por debajo de 1 aunque todas las palabras sean correctas. Mira al lado las coincidencias
# exactas:

# %%
for split in ("train", "test"):
    print(split, {name: run.metrics[f"{split}/{name}"] for name in ("bleu", "bleu_sentence", "chrf", "exact_match")})

# %% [markdown]
# ## El *teacher forcing*, medido
#
# Con él, cada paso aprende a partir de un comienzo correcto, pero nunca de sus propios errores; sin él, el
# decodificador tarda en aprender las palabras, porque al principio sus comienzos no tienen sentido. ¿Qué se consigue
# en el mismo tiempo?

# %%
forcing = probeta.sweep(
    "experiment=toy_seq2seq",
    "model.teacher_forcing_ratio=0.0,1.0",
    "trainer.max_epochs=40",
    "recipe.decode_every=40",
    seeds=range(3),
    lang=lang,
)
forcing.table("train/loss")

# %%
forcing.figure("train/loss")

# %%
print(forcing.compare("teacher_forcing_ratio=1.0", "teacher_forcing_ratio=0.0", "train/loss"))

# %% [markdown]
# ## Te toca
#
# Cambia una sola cosa: el tamaño del vector (`recipe.hidden_size=8,32,128`: ¿a partir de cuál caben doce oraciones?),
# el límite del gradiente (`trainer.gradient_clip_val=0.1,1.0`) o un *teacher forcing* a medias
# (`model.teacher_forcing_ratio=0.25,0.75`).

# %%
change = "recipe.hidden_size=8,32,128"
small = ["experiment=toy_seq2seq", "trainer.max_epochs=40", "recipe.decode_every=40"]
mine = probeta.sweep(*small, change, seeds=range(2), lang=lang)
mine.table("train/loss")

# %% [markdown]
# ## Ejercicios
#
# La llamada ejecuta su propio estudio, que lleva un rato, y escribe una página con la respuesta.
#
# * `probeta.exercise(16, lang="es")`: pocos pares de memoria; después, cada vez más. ¿Qué se aprende, y qué sigue
#   mal?
