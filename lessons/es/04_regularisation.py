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
# # 4. Regularización
#
# **Pregunta.** ¿Qué ayuda a un modelo con datos que no ha visto, y con cuánta seguridad puedes decirlo?
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
# ## La brecha
#
# Un modelo con pesos de sobra puede aprenderse de memoria los datos de entrenamiento, ruido incluido. Lo que gana ahí
# puede perderlo fuera. Pocos puntos, mucho ruido y muchas neuronas:

# %%
noisy = ["experiment=moons_mlp", "data.n_samples=150", "data.noise=0.35", "model.width=256"]
noisy += ["optimizer=adam", "optimizer.lr=0.01", "callbacks.early_stopping.patience=null"]
free = probeta.train(*noisy, lang=lang)
free.figure("loss")

# %%
print(f"train {free.metrics['train/acc']:.3f}   test {free.metrics['test/acc']:.3f}")

# %% [markdown]
# ## Cuatro remedios
#
# **La penalización L2** prefiere pesos pequeños. Su gradiente tira de cada peso hacia cero en cada paso:
#
# $$\tilde L = L + \tfrac{\lambda}{2}{\lVert w\rVert}^2, \qquad \nabla\tilde L = \nabla L + \lambda w$$
#
# **El dropout** apaga neuronas al azar durante el entrenamiento, con probabilidad $p$, y compensa las que faltan:
#
# $$\tilde h = \frac{m \odot h}{1-p}, \qquad m_j \sim \mathrm{Bernoulli}(1-p)$$
#
# **La normalización por lotes** da a cada neurona media $\beta$ y desviación $\gamma$ en el lote; al evaluar usa
# promedios móviles en su lugar:
#
# $$\hat z = \gamma\,\frac{z-\mu_B}{\sqrt{\sigma_B^2+\varepsilon}} + \beta$$
#
# **La parada temprana** (*early stopping*) se queda con los pesos de la época de menor pérdida de validación, y
# abandona cuando esta lleva `patience` épocas sin mejorar.

# %%
study = probeta.study("regularization", "trainer.max_epochs=200", seeds=range(5), lang=lang)
study.table("val/loss")

# %%
study.figure("val/loss")

# %% [markdown]
# Todas las variantes comparten semillas, y cada una se compara con la de referencia, por parejas:

# %%
for variant in study.variants[1:]:
    print(study.compare(variant, study.variants[0], "val/loss"))

# %% [markdown]
# Que no se muestre una diferencia no significa que no la haya: el intervalo dice de qué tamaño podría ser todavía. Y
# un remedio solo cura a quien está enfermo: estas lunas tienen muchos puntos y poco ruido. Así que la misma pregunta,
# pero donde duele: con los puntos ruidosos del principio. (Que ahí duele se averiguó con otras semillas.)

# %%
sick = probeta.sweep(*noisy, "model.dropout=0.0,0.3,0.6", seeds=range(8), lang=lang)
sick.table("val/loss")

# %%
sick.figure("val/loss")

# %%
for rate in ("0.3", "0.6"):
    print(sick.compare(f"dropout={rate}", "dropout=0.0", "val/loss"))

# %% [markdown]
# Las semillas sortean los pesos y las máscaras; los 150 puntos son los mismos para todas. El intervalo habla, por
# tanto, de entrenar con *estos* puntos. Para saber de otros hacen falta otros: `"data.seed=range(8)"` con
# `"zip=[seed,data.seed]"` da a cada semilla los suyos. Entonces las pérdidas varían mucho más, de un sorteo fácil a uno
# difícil, y al mismo remedio le cuesta más distinguirse.
#
# ## Te toca
#
# Cambia una sola cosa: la penalización (`optimizer.weight_decay=0,0.001,0.01,0.1`), la paciencia
# (`callbacks.early_stopping.patience=3,20,null`) o el número de puntos (`data.n_samples=100,300,1200`).

# %%
change = "optimizer.weight_decay=0,0.01,0.1"
mine = probeta.sweep(*noisy, change, seeds=range(5), lang=lang)
mine.table("test/loss")

# %% [markdown]
# ## Ejercicios
#
# Cada llamada ejecuta su propio estudio, de unos minutos, y escribe una página con la respuesta.
#
# * `probeta.exercise(9, lang="es")`: referencia, L2, dropout y normalización por lotes, con todo lo demás igual.
# * `probeta.exercise(10, lang="es")`: parada temprana, paciencia frente a `min_delta`. ¿Cuándo para, y a qué precio?
# * `probeta.exercise(11, lang="es")`: ¿qué probabilidades son creíbles? Calibración, antes y después de
#   ajustar la temperatura.
