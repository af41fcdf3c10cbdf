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
# # 9. De la atención al Transformer
#
# **Pregunta.** Si la atención llega a todas las palabras, ¿para qué sirven las demás piezas?
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
# ## Atención sin recurrencia
#
# El Transformer (Vaswani et al., 2017) prescinde de la red recurrente. Cada posición pregunta a todas a la vez, con
# consultas, claves y valores que salen de la misma secuencia:
#
# $$\mathrm{Attention}(Q,K,V) = \mathrm{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V$$
#
# La raíz mantiene las puntuaciones en la escala de 1: una suma de $d_k$ productos de términos independientes de
# varianza 1 tiene varianza $d_k$, y una softmax de números grandes está saturada. Aquí, en cinco líneas:

# %%
import torch

torch.manual_seed(0)
queries = torch.randn(64, 512)
keys = torch.randn(64, 512)
scores = queries @ keys.T
for name, scaled in (("QKᵀ", scores), ("QKᵀ/√d", scores / 512**0.5)):
    print(
        f"{name:>7}: std {scaled.std():.2f}, largest weight {torch.softmax(scaled, dim=-1).max(dim=-1).values.mean():.2f}"
    )

# %% [markdown]
# La atención sola no basta. Esto es lo que la rodea:
#
# * **Posiciones.** Un conjunto no tiene orden. Si permutas las palabras, la atención da las mismas respuestas,
#   permutadas. Por eso a cada palabra se le suma su posición.
# * **Conexiones residuales.** $x + f(x)$ tiene derivada $I + J_f$: el gradiente dispone de un camino en el que nada
#   lo encoge.
# * **Normalización.** $\hat x = \gamma\odot(x-\mu)/\sigma + \beta$, sobre las unidades de cada posición, impide que
#   la escala crezca de capa en capa.
# * **Red *feed-forward*.** $W_2\,\mathrm{ReLU}(W_1 x + b_1) + b_2$, el MLP de la lección 1 en cada posición: la
#   atención mezcla palabras, y esta red calcula con ellas.
#
# Dos de ellas ya las conoces de la lección 2, donde el gradiente se desvanecía con la profundidad:

# %%
plain = probeta.probe("depth", "probe.seeds=8", "probe.activations=[relu]", lang=lang)
mended = probeta.probe(
    "depth", "probe.seeds=8", "probe.activations=[relu]", "probe.residual=true", "probe.layer_norm=true", lang=lang
)
plain.figure("gradient_by_depth")

# %%
mended.figure("gradient_by_depth")

# %% [markdown]
# ## Quitar las piezas, una a una
#
# Un mismo Transformer, cinco veces, con las oraciones de una pequeña gramática: entero y sin alguna de sus piezas.
# Todo lo demás queda igual, también las semillas.

# %%
parts = {
    "full": [],
    "no residual connections": ["model.residual=false"],
    "no layer norm": ["model.norm=none"],
    "no positions": ["model.positions=none"],
    "no feed-forward": ["model.feed_forward=0"],
}
variants = ", ".join(f"{name}: [{', '.join(repr(line) for line in lines)}]" for name, lines in parts.items())
budget = [
    "data.n_samples=240",
    "data.n_val=60",
    "data.n_test=60",
    "data.max_depth=0",
    "data.max_length=7",
    "recipe.decode_every=100",
    "model.encoder_layers=1",
    "model.decoder_layers=1",
    "optimizer.lr=0.01",
    "scheduler.warmup_steps=40",
    "trainer.max_epochs=5",
    "hydra/launcher=basic",
]
chosen = ["~study.variants", f"+study.variants={{{variants}}}"]
ablation = probeta.study("transformer_ablation", *budget, *chosen, seeds=range(2), lang=lang)
ablation.table("test/loss")

# %%
ablation.figure("val/loss")

# %%
for part in list(parts)[1:]:
    print(ablation.compare(part, "full", "test/loss"))

# %% [markdown]
# Lee los veredictos, no el orden de las filas: dos semillas solo deciden diferencias muy grandes. Y cada pieza vale lo
# que vale *aquí*. Con una sola capa hay poca profundidad que normalizar, y en oraciones cortas y de forma fija el
# orden de las palabras dice poco; una pieza puede incluso estorbar. También eso es un resultado, y la razón para
# repetir la pregunta a mayor escala: `probeta.study("transformer_ablation", lang="es")` es la misma con 6000 pares,
# dos capas y cinco semillas, y tarda horas.
#
# ## Te toca
#
# Cambia una sola cosa: la profundidad (`model.encoder_layers=3` y `model.decoder_layers=3` en `budget`) u otra pieza
# (`model.heads=1`, `model.positions=rotary`, `model.norm=post`, `model.dropout=0`).

# %%
change = "model.heads=1"
short = [line for line in budget if "max_epochs" not in line and "launcher" not in line]
common = ["data=grammar", "model=transformer", "optimizer=adam", "scheduler=inverse_sqrt", "data.batch_size=32"]
mine = probeta.train(*common, *short, "trainer.max_epochs=3", change, lang=lang)
mine.figure("loss")

# %% [markdown]
# ## Ejercicios
#
# Esta lección no tiene uno propio: es el último paso de un camino. Tres sugerencias, de una línea de código cada una.
#
# * ¿A partir de qué profundidad importan las conexiones residuales? (`model.encoder_layers=1,2,4` y
#   `model.residual=true,false`)
# * Entrena con oraciones cortas y prueba con largas (`data.split=length`). ¿Qué posiciones sirven también allí?
# * Compara este Transformer con la red recurrente de la lección 8, con los mismos pares. ¿Quién necesita más?
