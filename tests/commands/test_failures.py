"""What a mistake looks like in the terminal."""

from __future__ import annotations

import pytest

from probeta.commands.failures import one_line


@pytest.mark.parametrize(("launcher", "extra"), [("submitit_slurm", "submitit"), ("ray", "ray")])
def test_a_launcher_that_is_not_installed_says_how_to_install_it(launcher: str, extra: str) -> None:
    error = ValueError(
        f"In 'train': Could not find 'hydra/launcher/{launcher}'\n\nAvailable options in 'hydra/launcher':\n"
        "\tbasic\n\tjoblib\nConfig search path:\n\tprovider=hydra"
    )
    assert one_line(error) == f"hydra/launcher={launcher} is not installed: pip install 'probeta[{extra}]'"


def test_an_option_that_nobody_has_is_told_with_those_there_are() -> None:
    error = ValueError(
        "Could not find 'hydra/launcher/slrum'\n\nAvailable options in 'hydra/launcher':\n\tbasic\n\tjoblib\n"
    )
    assert one_line(error) == "unknown option of hydra/launcher 'slrum': accepted: basic, joblib"
