"""The config groups, importable so that an installed wheel finds them (`pkg://probeta.conf`)."""
