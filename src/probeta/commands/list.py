"""`probeta list`: every experiment, study and probe that ships, one line each."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from probeta.commands.arguments import parse

GROUPS = {"experiment": "train", "study": "train", "probe": "probe"}


def main(argv: list[str]) -> int:
    parse("probeta list", argv, {})
    root = files("probeta.conf")
    exercises: list[Traversable] = []
    for group, command in GROUPS.items():
        folder = root / group
        if not folder.is_dir():
            continue
        print(f"{'studies' if group == 'study' else group + 's'} (probeta {command} {group}=NAME)")
        options = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
        exercises += [f for f in options if f.name.startswith("exercise_")]
        options = [f for f in options if f not in exercises]
        width = max((len(f.name) for f in options), default=5) - len(".yaml")
        for option in options:
            print(f"  {option.name.removesuffix('.yaml'):<{width}}  {first_comment(option)}")
        print()
    print("exercises (probeta exercise N, or probeta exercise all)")
    for option in exercises:
        print(f"  {first_comment(option).removeprefix('Exercise ').replace(': ', '  ', 1):>2}")
    return 0


def first_comment(option: Traversable) -> str:
    """The first line of a configuration file that explains it."""
    for line in option.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and not line.startswith(("# @package", "# yaml-language-server")):
            return line.lstrip("# ").strip()
        if line and not line.startswith("#"):
            break
    return ""
