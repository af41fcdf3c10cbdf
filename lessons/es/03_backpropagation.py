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
# # 3. La retropropagación y cómo comprobarla
#
# **Pregunta.** ¿Cómo se sabe que un gradiente es correcto?
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
# ## La regla de la cadena, hacia atrás
#
# Una red es una composición, $L = f_k(f_{k-1}(\dots f_1(x)))$. La retropropagación multiplica sus derivadas desde la
# pérdida hacia la entrada, de modo que cada una se calcula una sola vez:
#
# $$\bar h_{i-1} = J_i^\top\,\bar h_i, \qquad \bar h_k = \frac{\partial L}{\partial h_k}$$
#
# Aquí a mano, para $L(\theta) = \sin\theta + \theta^2$ en $\theta = 0{,}7$, junto a lo que dice la derivación
# automática:

# %%
import math

import torch

theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
(torch.sin(theta) + theta**2).backward()
print(math.cos(0.7) + 2 * 0.7, theta.grad.item())

# %% [markdown]
# ## Una segunda opinión: las diferencias finitas
#
# La pendiente también se puede medir sin derivar nada, evaluando dos veces la pérdida:
#
# $$\frac{\partial L}{\partial\theta} \approx \frac{L(\theta+\epsilon)-L(\theta-\epsilon)}{2\epsilon}$$
#
# Su error tiene dos partes que tiran en sentidos opuestos: el truncamiento disminuye como $\epsilon^2$ y el redondeo
# crece como $u/\epsilon$, donde $u$ es la precisión del formato numérico. Busca el valle que queda entre ambos.

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
# ## Una red entera
#
# Los dos gradientes, el medido y el de la retropropagación, se comparan por su error relativo:
#
# $$\frac{\lVert g_{\text{num}}-g_{\text{bp}}\rVert}{\lVert g_{\text{num}}\rVert+\lVert g_{\text{bp}}\rVert+10^{-12}}$$
#
# Las dos evaluaciones han de ser de la misma función: sin dropout, con la normalización por lotes en modo de evaluación
# y con los mismos ejemplos. Cincuenta parámetros de cada capa, en precisión simple y doble:

# %%
network = probeta.probe("gradcheck", "model.depth=2", lang=lang)

# %%
network.figure("error_by_layer")

# %%
errors = network.metrics["error/float32"], network.metrics["error/float64"]
print(f"float32 / float64 = {errors[0] / errors[1]:.0e}")

# %% [markdown]
# La precisión simple distingue unas siete cifras decimales y la doble, dieciséis: por eso los gradientes se comprueban
# en doble precisión.
#
# ## Un error a propósito
#
# Ahora la capa central devuelve su gradiente con el signo cambiado. El entrenamiento seguiría sin quejarse; la
# comprobación no, y termina en un error:

# %%
try:
    probeta.probe("gradcheck", "model.depth=2", "probe.inject_bug=sign", "probe.dtypes=[float64]", lang=lang)
except RuntimeError as found:
    print(found)
    broken = found.run
broken.figure("error_by_layer")

# %% [markdown]
# Una capa errónea estropea también los gradientes de todas las anteriores, pues pasan por ella. La culpable es, por
# tanto, la última errónea antes de las correctas. `detach` corta el gradiente, `sign` le da la vuelta y `scale` lo
# estira:

# %%
hunt = probeta.probe("bug_hunt", "model.depth=2", lang=lang)

# %%
hunt.figure("bugs_by_layer")

# %% [markdown]
# ## Te toca
#
# Cambia una sola cosa: otra red (`"data=toy_pairs", "model=seq2seq_attn"`), otra activación (`"model.activation=relu"`:
# ¿tiene derivada en cero?) o un paso demasiado grande (`"probe.step=0.1"`).

# %%
change = ["model.activation=tanh", "model.depth=3"]
mine = probeta.probe("gradcheck", *change, lang=lang)
mine.figure("error_by_layer")

# %% [markdown]
# ## Ejercicios
#
# Cada llamada ejecuta su propio estudio y escribe una página con la respuesta.
#
# * `probeta.exercise(7, lang="es")`: cincuenta parámetros de cada capa, en float32 y float64. ¿Cuál es el mayor
# error, y
#   por qué?
# * `probeta.exercise(8, lang="es")`: errores en el paso hacia atrás. ¿Los encuentra todos la comprobación, y dice en
# qué
#   capa están?
