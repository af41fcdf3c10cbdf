"""`python -m probeta <command> …`."""

from probeta.cli import entry

if __name__ == "__main__":
    entry()
