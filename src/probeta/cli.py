"""`probeta <command> …`: finds the command and reports its mistakes. Imports nothing heavy."""

from __future__ import annotations

import gc
import importlib
import os
import sys

COMMANDS = {
    "train": ("train a model, or many with -m: probeta train experiment=moons_mlp optimizer.lr=0.1", "commands.train"),
    "probe": ("measure gradients without training: probeta probe probe=depth", "commands.probe"),
    "evaluate": ("test metrics of a finished run, as it wrote them: probeta evaluate run=DIR", "commands.evaluate"),
    "predict": ("classes of points with a finished run: probeta predict run=DIR x='[[0.1,0.2]]'", "commands.predict"),
    "translate": ("translate with a finished run: probeta translate run=DIR text='i like books'", "commands.translate"),
    "align": ("word links by attention: probeta align run=DIR source=FILE target=FILE gold=FILE", "commands.align"),
    "report": ("tables, figures and a page from finished runs: probeta report DIR", "commands.report"),
    "export": ("means and verdicts of a sweep for TensorBoard, MLflow, wandb: probeta export DIR", "commands.export"),
    "exercise": ("an exercise's runs, answer and page: probeta exercise 9, or all", "commands.exercise"),
    "list": ("every experiment, study and probe with a line each: probeta list", "commands.list"),
    "keys": ("every key with its value, type and meaning: probeta keys model=mlp, or optimizer.lr", "commands.keys"),
}

USAGE = f"""probeta: a laboratory for the fundamentals of deep learning

usage: probeta <command> [key=value …]

{chr(10).join(f"  {name:<10}{text}" for name, (text, _) in COMMANDS.items())}

Every key of a configuration can be set: probeta train --cfg job   shows them all.
probeta <command> --help tells more; shell completion: eval "$(probeta train -sc install=bash)"
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status (0, 1 failed, 2 mistaken, 130/143 interrupted)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prepare_environment()
    if "-sc" in argv or "--shell-completion" in argv:
        argv = completion(argv)
        if not argv:
            return 0
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0
    command, *rest = argv
    if command in ("-V", "--version"):
        from importlib.metadata import version

        print(version("probeta"))
        return 0
    if command not in COMMANDS:
        from probeta.errors import ConfigError

        return say(ConfigError.unknown("command", command, COMMANDS))
    if not in_a_folder():
        return 2
    from probeta.commands.failures import exit_status

    with exit_status() as status:
        module = importlib.import_module(f"probeta.{COMMANDS[command][1]}")
        status.code = module.main(rest) or 0
    return status.code


def in_a_folder() -> bool:
    """Whether the working directory is there; libraries fail without it in ways that name nothing."""
    try:
        os.getcwd()
    except FileNotFoundError:
        print("probeta: the folder that this was started in is no longer there: cd to one that is", file=sys.stderr)
        return False
    return True


def prepare_environment() -> None:
    """What the caller's surroundings must not decide: a notebook's drawing back end, an output in ASCII."""
    os.environ["MPLBACKEND"] = "agg"  # inline back ends exist only where the notebook's own packages are
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def completion(argv: list[str]) -> list[str]:
    """Hydra's completion calls the program without the command that was typed: take it from the line."""
    words = os.environ.get("COMP_LINE", "").split(" ")
    if argv[0] in COMMANDS or len(words) < 2:
        return argv if argv[0] in COMMANDS else ["train", *argv]
    if len(words) == 2:
        print(" ".join(name for name in COMMANDS if name.startswith(words[1])))
        return []
    os.environ["COMP_LINE"] = " ".join([words[0], *words[2:]])
    return [words[1] if words[1] in ("train", "probe") else "train", *argv]


def say(error: Exception) -> int:
    print(f"probeta: {error}", file=sys.stderr)
    return 2


def entry() -> None:
    status = main()
    # At its exit Python goes through everything that was imported, looking for garbage: 1.5 s with torch and Lightning.
    gc.freeze()
    sys.exit(status)


if __name__ == "__main__":
    entry()
