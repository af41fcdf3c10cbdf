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
# # 8. Atención
#
# **Pregunta.** ¿Qué cambia cuando el decodificador puede volver la vista a cada palabra del origen?
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
# ## Preguntar, comparar, mezclar
#
# En lugar de un solo vector para toda la oración, el decodificador recibe uno nuevo en cada paso: una media de todos
# los estados del codificador, ponderada según lo bien que cada uno responde a su pregunta (Bahdanau et al., 2015):
#
# $$e_{ts} = v^\top\tanh\left(W_q\,h_{t-1}^{\text{dec}} + W_k\,h_s^{\text{enc}}\right), \qquad
#   \alpha_{ts} = \frac{e^{e_{ts}}}{\sum_{s'} e^{e_{ts'}}}, \qquad
#   c_t = \sum_s \alpha_{ts}\, h_s^{\text{enc}}$$
#
# Nadie le dice adónde mirar. Los pesos $\alpha$ se aprenden junto con todo lo demás, porque mirar ayuda a traducir.

# %%
run = probeta.train("experiment=toy_seq2seq_attn", "trainer.max_epochs=100", "recipe.decode_every=50", lang=lang)
run.translate(["i like books", "she is a teacher", "good night"])

# %% [markdown]
# Cada fila del dibujo es una palabra de la traducción, y sus pesos suman 1. Señala una palabra:

# %%
looked = run.attention("i like books")
looked

# %%
for word, row in zip(looked.target, looked.weights, strict=True):
    print(f"{word:>10}  ← {looked.source[int(row.argmax())]:<8} {row.max():.2f}")

# %% [markdown]
# ¿Es esto una alineación? No necesariamente. El codificador es recurrente: su estado en una palabra sabe de todas las
# anteriores, y el de `<eos>` lo ha leído todo. Para aprender doce oraciones de memoria basta con uno de esos estados.
# Los pesos dicen qué se mezcló, no por qué; donde hay alineaciones de referencia, se pueden comparar con ellas.
#
# ## Con y sin atención, en oraciones no vistas
#
# Una pequeña gramática genera cuantos pares se quieran. Los mismos pares, las mismas épocas y tres semillas:

# %%
budget = [
    "data.n_samples=400",
    "data.n_val=60",
    "data.n_test=60",
    "data.max_depth=0",
    "data.max_length=7",
    "data.batch_size=32",
    "recipe.hidden_size=64",
    "recipe.decode_every=100",
    "optimizer.lr=0.005",
    "trainer.max_epochs=8",
]
ablation = probeta.study("attention_ablation", *budget, seeds=range(3), lang=lang)
ablation.table("test/loss")

# %%
ablation.figure("val/loss")

# %%
print(ablation.compare("with attention", "without attention", "test/loss"))
print(ablation.compare("with attention", "without attention", "test/chrf"))

# %%
for variant in ablation.variants:
    translations = ablation.run(variant).translate(["the child sees the dog .", "the teacher sings ."])
    print(f"{variant:>20}: {translations}")

# %% [markdown]
# Con tan pocos pares ninguno de los dos traduce bien todavía; lo que se compara es quién aprende más de ellos.
# Tampoco tienen el mismo número de parámetros: la atención trae algunos propios. El ejercicio 17 los iguala.
#
# ## ¿Explica el peso la palabra?
#
# Un peso dice qué se mezcló. Para saber si importa, se puede probar: se corta un enlace mientras la red lee, y se mira
# qué dice entonces; o se borra una palabra de origen, y se mira qué pasa con la probabilidad de la palabra traducida.
# Lo que la red pierde sin cada palabra es la referencia con la que se miden las explicaciones:
#
# $$\text{explicado} = \frac{A_\text{azar} - A}{A_\text{azar} - A_\text{quitar}}$$
#
# donde $A$ es el área bajo la curva de la probabilidad de la palabra cuando se borran las palabras de origen que una
# explicación nombra primero. Un 0 no es mejor que un orden al azar; un 1, tan bueno como quitar cada palabra y mirar.

# %%
attentive = ablation.run("with attention")
probe = probeta.probe("attention", f"run={attentive.path}", "probe.sentences=20", "probe.path_steps=4", lang=lang)
for name in ("explained/weight", "explained/gradient", "cut/top", "cut/others"):
    print(f"{name:>20}: {probe.metrics['explain/' + name]:.3f}")

# %%
probe.figure("explanations")

# %% [markdown]
# `cut` mide en bits cuánto cambia lo que se dice en un paso cuando se corta uno de sus enlaces: el de la palabra más
# atendida (`top`) o cualquier otro (`others`). Una explicación puede nombrar las palabras correctas y no ser la mejor:
# compárala con el gradiente. `study=attention_explains` se lo pregunta a cada tipo de atención, con intervalos sobre
# semillas y oraciones; en la página de un traductor, un clic en una palabra, una casilla o una cabeza la quita.
#
# ## Te toca
#
# Cambia una sola cosa: el tipo de atención (`attention=additive,dot,general,scaled_dot`) o la longitud de las
# oraciones (`data.max_length=12`). ¿Crece la diferencia con la longitud?

# %%
change = "attention=additive,general"
mine = probeta.sweep(
    "data=grammar", "model=seq2seq_attn", *budget[:-1], "trainer.max_epochs=3", change, seeds=range(2), lang=lang
)
mine.table("test/loss")

# %% [markdown]
# ## Ejercicios
#
# Cada llamada ejecuta su propio estudio, que lleva un rato, y escribe una página con la respuesta.
#
# * `probeta.exercise(17, lang="es")`: con y sin atención, con las mismas actualizaciones y el mismo número de
#   parámetros.
# * `probeta.exercise(18, lang="es")`: qué aspecto tiene la atención (diagonal, saltos, repeticiones), y un cambio que
#   quizá la alinee mejor.
