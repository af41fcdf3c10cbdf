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
# # 5. Optimizadores y programación de la tasa de aprendizaje
#
# **Pregunta.** ¿Qué optimizador es mejor, y cómo sería una comparación justa?
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
# ## Tres reglas
#
# Todas siguen el gradiente $g_t$. El **momento** conserva la dirección de los pasos anteriores:
#
# $$v_t = \mu v_{t-1} + g_t, \qquad w_t = w_{t-1} - \eta v_t$$
#
# **Adam** (Kingma y Ba, 2015) da a cada peso un paso propio, a partir de medias móviles del gradiente y de su
# cuadrado:
#
# $$w_t = w_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t}+\varepsilon}, \qquad
#   m_t = \beta_1 m_{t-1} + (1-\beta_1) g_t, \quad v_t = \beta_2 v_{t-1} + (1-\beta_2) g_t^2$$
#
# **AdamW** (Loshchilov y Hutter, 2019) saca el decaimiento de los pesos del gradiente, donde Adam lo dividiría por
# $\sqrt{\hat v_t}$, y encoge los pesos directamente: $w_t \leftarrow w_t - \eta\lambda w_{t-1}$.
#
# ## Primero, la tasa de aprendizaje
#
# La tasa que le va bien a un optimizador no le va bien a otro: compararlos con la misma es elegir de antemano al
# ganador. Por eso cada uno dispone de la misma búsqueda, con datos de validación y semillas propias, y solo después
# se comparan:

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
# La banda que antes llega abajo es la rápida; la que acaba más abajo es la buena. No tienen por qué ser la misma.
#
# ## El borde de la estabilidad
#
# Sobre una parábola de curvatura $\lambda$, el descenso por gradiente con tasa $\eta$ converge mientras
# $\lambda < 2/\eta$. Una red no es una parábola y, aun así, ese número la gobierna: este es el mayor valor propio del
# hessiano dividido entre $2/\eta$, mientras una red aprende con el lote completo.

# %%
only = "study.only=['rate 0.2','rate 0.5']"
edge = probeta.study("edge_of_stability", only, "trainer.max_epochs=600", seeds=range(4), lang=lang)
edge.figure("curvature/relative")

# %% [markdown]
# La red se vuelve más curva hasta llegar a 1, el borde, sea cual sea la tasa, y ahí se queda (Cohen et al., 2021): la
# tasa decide cuánta curvatura puede tener un mínimo. Una tasa pequeña no es el mismo camino recorrido despacio.
#
# ## Una tasa que cambia
#
# Lejos del mínimo, un paso grande ahorra tiempo; cerca, uno pequeño evita saltárselo. Medio coseno lleva de uno a
# otro en $T$ pasos:
#
# $$\eta_t = \eta_{\min} + \tfrac12(\eta_{\max}-\eta_{\min})\left(1+\cos\frac{\pi t}{T}\right)$$
#
# Un calentamiento (*warm-up*) la hace subir antes desde cero, mientras se asientan las medias móviles de Adam o una red
# recién sorteada.

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
# En total, una tasa programada avanza menos que la constante de la que parte. En un problema pequeño, donde la
# constante no rebota, eso basta para que vaya más lenta.
#
# ## Te toca
#
# Cambia una sola cosa: la tasa de partida (`optimizer.lr=1.0`), la duración prevista (`trainer.max_epochs=300`) o el
# momento (`optimizer.momentum=0.0`). ¿Cuándo empieza a compensar la programación?

# %%
change = "optimizer.lr=1.0"
mine = probeta.study("schedulers", "trainer.max_epochs=100", change, "name=mine", seeds=range(4), lang=lang)
mine.table("val/loss")

# %% [markdown]
# ## Ejercicios
#
# Cada llamada ejecuta su propio estudio, de unos minutos, y escribe una página con la respuesta.
#
# * `probeta.exercise(12, lang="es")`: SGD con momento, Adam y AdamW, cada uno con su mejor tasa de aprendizaje.
# * `probeta.exercise(13, lang="es")`: caída en coseno, con y sin calentamiento.
# * `probeta.exercise(14, lang="es")`: el mismo decaimiento de los pesos en Adam y en AdamW. ¿Por qué no son
#   equivalentes?
