"""The packages are found, not listed; `conf/` at the root is shipped as `probeta.conf`."""

from setuptools import find_packages, setup

plugins = [f"hydra_plugins.{name}" for name in find_packages("src/hydra_plugins")]
setup(packages=[*find_packages("src"), *plugins, "probeta.conf"])
