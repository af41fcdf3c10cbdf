"""The pages that repeat what is said elsewhere already: lessons, commands, keys. The repository keeps none of them."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout, suppress
from pathlib import Path

import jupytext
from nbformat import NotebookNode, read

from docs.options import CONF, GROUPS, Option, list_options
from docs.ranges import find_accepted
from docs.schema import make_schemas
from probeta.cli import COMMANDS, main
from probeta.commands.keys import find_keys
from probeta.config.keys import Key, comments

LAUNCHERS = {
    "launcher": ("joblib", "vectorized", "ray", "submitit_local", "submitit_slurm"),
    "sweeper": ("probeta", "optuna"),
}


def write(docs: Path) -> None:
    root = docs.parent
    for lesson in sorted(root.glob("lessons/??/*.py")):
        name = f"{lesson.parent.name}/{lesson.stem}.ipynb"
        notebook = choose_notebook(lesson, root / "outputs" / "lessons" / name)
        jupytext.write(notebook, put(docs / "lessons" / name))
    put(docs / "reference" / "commands.md").write_text(tell_commands())
    keys = docs / "reference" / "keys"
    for number, group in enumerate(GROUPS, start=2):
        put(keys / f"{number:02d}_{group}.md").write_text(tell_group(group))
    put(keys / "01_run.md").write_text(tell_run())
    for name, schema in make_schemas().items():
        put(docs / "schema" / f"{name}.json").write_text(json.dumps(schema, ensure_ascii=False, indent=1) + "\n")
    put(keys / "20_study.md").write_text(tell_study())
    put(keys / "21_sweep.md").write_text(tell_plugins())


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def choose_notebook(lesson: Path, executed: Path) -> NotebookNode:
    """The lesson with what `make lessons` saw, where that was the same code; without outputs otherwise."""
    plain = jupytext.read(lesson)
    if executed.is_file():
        # The first cell says where probeta is installed from, as seen from the notebook.
        code, seen = ([c for c in n.cells if c.cell_type == "code"][1:] for n in (plain, read(executed, as_version=4)))
        if [cell.source for cell in code] == [cell.source for cell in seen]:
            for cell, shown in zip(code, seen, strict=True):
                cell.outputs = shown.outputs
    return plain


def tell_commands() -> str:
    """What each command says of itself."""
    text = "# Commands\n"
    for name, (summary, _) in COMMANDS.items():
        text += (
            f"\n## {name}\n\n{example(summary)}\n\n```text\n{call(name, '--help').partition('== Config ==')[0]}\n```\n"
        )
        if name == "list":
            text += f"\n```text\n{call('list')}\n```\n"
    return text


def example(summary: str) -> str:
    """`what it does: probeta …` with its command as code."""
    what, colon, command = summary.partition(": probeta ")
    return f"{what}{colon and f': `probeta {command}`'}."


def call(*argv: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        main(list(argv))
    return printed.getvalue().strip()


def tell_run() -> str:
    """The keys that belong to no group, and the groups."""
    train, probe = (Option(CONF / f"{name}.yaml") for name in ("train", "probe"))
    told = comments(train.text)
    shared = [key for key in probe.keys if key in train.keys]
    groups = "".join(f"| [`{g}`]({n:02d}_{g}.md) | {told.get(g, '')} |\n" for n, g in enumerate(GROUPS[:-1], start=2))
    return (
        "# A run\n\nWhat `probeta train` is made of: one option of each group, and the keys below.\n\n"
        f"| group | |\n|---|---|\n{groups}| `experiment` | all of them at once: `probeta list` |\n"
        f"\n## Keys of `probeta train`\n\n{table(train.keys, find_accepted('data=moons', train.keys))}"
        f"\n## Keys of `probeta probe`\n\nOf these {', '.join(f'`{key.name}`' for key in shared)}, and its own:\n\n"
        f"{table([key for key in probe.keys if key not in shared], {})}"
    )


def tell_group(group: str) -> str:
    text = f"# {group}\n\n{comments((CONF / 'train.yaml').read_text()).get(group, 'What is measured').capitalize()}.\n"
    for option in list_options(group):
        keys = [key for key in option.keys if key.path.split(".")[0] in (group, "recipe") and "." in key.path]
        text += f"\n## {group}={option.name}\n\n{option.comment or option.summary}\n"
        if any(key.hint is not None and key.meaning for key in keys):
            name = f"{group}={option.name}"
            if target := next((key.value for key in option.keys if key.path == group and "." in key.value), ""):
                text += f"\nBuilds `{target}`.\n"
            text += f"\n{table(keys, find_accepted(name, keys))}"
        else:
            text += f"\n```yaml\n{option.text.strip()}\n```\n"
    return text


def tell_study() -> str:
    [study] = [option for option in list_options("study") if option.name == "regularization"]
    keys = [key for key in study.keys if key.path.startswith("study.")]
    shown = [key._replace(value="…") if not key.name.startswith("+") else key for key in keys]
    return (
        "# study\n\nA question, the variants that answer it, the seeds that make the answer trustworthy: "
        f"`probeta list` has those that ship. This one is `study=regularization`:\n\n```yaml\n{study.text}```\n\n"
        f"{table(shown, find_accepted('study=regularization', keys))}"
    )


def tell_plugins() -> str:
    text = "# hydra/launcher, hydra/sweeper\n\nWhat brings a sweep's jobs to processes, and what decides on them.\n"
    for part, names in LAUNCHERS.items():
        for name in names:
            option = f"hydra/{part}={name}"
            keys = [key for key in find_keys([option]) if key.path.startswith(f"hydra.{part}.")]
            text += f"\n## {option}\n\n{table(keys, {})}"
    return text


def table(keys: list[Key], accepted: dict[str, str]) -> str:
    """A row for each key."""
    rows = "".join(row(key, accepted.get(key.path, key.type)) for key in keys)
    return f"| key | default | accepted | meaning |\n|---|---|---|---|\n{rows}"


def row(key: Key, accepted: str) -> str:
    value = f"`{key.value}`" if key.value else ""
    return f"| {' | '.join(escape(cell) for cell in (f'`{key.name}`', value, accepted, key.meaning))} |\n"


def escape(text: str) -> str:
    return (
        text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
        if "`" not in text
        else text.replace("|", "\\|")
    )
