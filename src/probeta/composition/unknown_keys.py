"""Mistakes of an override line that Hydra finds when it composes, in the words that help: what was meant instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from hydra._internal.hydra import Hydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from probeta.composition.composer import check_choices
from probeta.composition.job import drop_hydra
from probeta.errors import ConfigError, UserError
from probeta.runs.identity import parse

CHOICES = ("data", "model", "optimizer", "scheduler", "experiment", "trainer", "logger", "hydra/launcher")
"""Groups that are chosen from; what they bring is under other names in a configuration, or under none."""

SAME = [
    line.split()
    for line in (
        "max_epochs epochs epoch num_epochs n_epochs nb_epochs train_epochs num_train_epochs n_iter iterations",
        "lr learning_rate learningrate rate eta alpha step_size",
        "batch_size batch bs batchsize train_batch_size minibatch",
        "width hidden_size hidden hidden_dim hidden_units n_hidden units neurons num_units dim d_model",
        "depth layers num_layers n_layers nlayers hidden_layers num_hidden_layers",
        "heads num_heads n_heads nhead n_head",
        "dropout dropout_rate drop drop_rate p_drop dropout_p",
        "seed seeds random_state random_seed rng_seed manual_seed",
        "weight_decay wd l2 decay regularization lambda",
        "n_samples samples num_samples n_points points size num_examples",
        "patience early_stopping early_stop earlystopping",
        "gradient_clip clip grad_clip clip_grad gradient_clip_val max_grad_norm clip_norm",
        "activation act nonlinearity activation_function",
        "embedding_size embedding embedding_dim emb_dim emb_size embed_dim d_embed",
        "teacher_forcing_ratio teacher_forcing tf_ratio teacher_forcing_prob",
        "beam_size beam beams num_beams beam_width",
        "max_length max_len maxlen max_seq_len",
        "precision dtype fp16 bf16 amp half",
        "trainer device gpu gpus cuda cpu accelerator",
        "data dataset data_set corpus task",
        "model net network arch architecture model_name",
        "optimizer optim opt solver algorithm",
        "scheduler schedule lr_scheduler lr_schedule",
        "experiment exp preset",
        "logger log wandb mlflow tensorboard tb",
        "hydra/launcher launcher parallel n_jobs workers num_workers processes",
        "output_dir output out outdir out_dir save_dir log_dir logdir folder dir path",
        "monitor metric early_stopping_metric",
        "name run_name experiment_name sweep_name",
    )
]
"""Words of the field for one thing, the project's own first."""

MOST = 4
"""Keys that a hint names."""


class SeveralValues(ConfigError):
    """`optimizer.lr=0,1` of a single run; `line` is what was given."""

    def __init__(self, line: str) -> None:
        key, _, value = line.partition("=")
        comma = re.fullmatch(r"-?\d+,\d+", value)
        point = f"; the decimal point is a point: {key}={value.replace(',', '.')}" if comma else ""
        super().__init__(f"{line} are several values: -m makes a run of each, {key}=[{value}] is one list{point}")
        self.line = line


@contextmanager
def name_mistakes(hydra: Hydra, name: str, overrides: list[str]) -> Iterator[None]:
    """A key that does not exist, or has several values, is refused in a line, not in Hydra's several."""
    try:
        yield
    except (ConfigCompositionException, UserError) as error:
        if several := re.search(r"Ambiguous value for argument '(.*?)'\n", str(error), re.DOTALL):
            raise SeveralValues(several[1]) from None
        found = re.search(r"not in struct.*?full_key: (\S+)", f"{error} {error.__cause__}", re.DOTALL)
        if not found:
            raise
        raise explain_unknown_key(compose_without(hydra, name, overrides, found[1]), found[1]) from None
    except ValueError as error:
        if "Config group override" in str(error):
            check_choices(hydra.config_loader, parse(overrides))
        raise


def explain_unknown_key(config: DictConfig, key: str) -> ConfigError:
    """A key that its class would take only lacks Hydra's `+`; any other has keys that may have been meant.

    Args:
        config: the configuration without that key.
        key: as it was given, `optimizer.lrr`.
    """
    from probeta.config.signatures import parameters
    from probeta.config.trust import resolve

    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    if isinstance(node, DictConfig) and "_target_" in node:
        with suppress(UserError):
            if last in parameters(resolve(node["_target_"], parent)):
                return ConfigError(f"{key} is not set in this configuration; + adds it: +{key}=…")
    if meant := find_meant(last, [*list_keys(config), *CHOICES]):
        return ConfigError(f"unknown key {key!r}: did you mean {' or '.join(map(repr, meant))}?")
    beside = node if isinstance(node, DictConfig) else config
    start = f"{parent}." if beside is node and parent else ""
    return ConfigError.unknown("key", key, [f"{start}{name}" for name in map(str, beside) if name != "_target_"])


def find_meant(word: str, known: Iterable[str]) -> list[str]:
    """Those of `known` that end in `word`, else in another word for the same thing; the outermost first."""
    ends: dict[str, list[str]] = {}
    for name in dict.fromkeys(known):
        ends.setdefault(name.rpartition(".")[2], []).append(name)
    word = word.lower().replace("-", "_")
    # The recipe holds what options take their own keys from, whether one is chosen that does or not.
    meant = [name for name in ends.get(word, ()) if not name.startswith("recipe.")]
    meant = meant or [name for family in SAME if word in family for end in family for name in ends.get(end, ())]
    return sorted(meant, key=lambda name: (name.startswith("recipe."), name.count(".")))[:MOST]


def compose_without(hydra: Hydra, name: str, overrides: list[str], wrong: str) -> DictConfig:
    """The configuration without the overrides of the key `wrong`."""
    kept = [o for o in overrides if re.split("[=.@]", f"{o.lstrip('+~')}=".removeprefix(wrong))[0]]
    # As a multirun, which leaves out the overrides that list several values.
    return drop_hydra(hydra.compose_config(name, kept, run_mode=RunMode.MULTIRUN, with_log_configuration=False))


def list_keys(config: DictConfig, prefix: str = "") -> list[str]:
    """Every key below `config` that has a value, in full."""
    keys = []
    for key in config:
        full, node = f"{prefix}{key!s}", config._get_node(key)
        keys += list_keys(node, f"{full}.") if isinstance(node, DictConfig) and not node._is_none() else [full]
    return keys
