"""probeta from Python and notebooks: what the commands do, as calls that return objects and leave nothing behind."""
