"""Execute lessons and write each as a notebook and as a page: `python lessons/execute.py [FILE …]` (all of them)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode

LESSONS = Path(__file__).parent
WRITTEN = LESSONS.parent / "outputs" / "lessons"


def is_progress(output: NotebookNode, valued: bool) -> bool:
    """What is for who waits: bars, and what a call reports beside the value that the cell shows."""
    return output.output_type == "stream" and (valued or output.name == "stderr")


def execute(source: Path) -> None:
    """The lesson in a kernel of its own, whose folder is the one that it is written to."""
    folder = WRITTEN / source.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    notebook = jupytext.read(source)
    started = time.monotonic()
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        valued = any(output.output_type == "execute_result" for output in cell.outputs)
        cell.outputs = [output for output in cell.outputs if not is_progress(output, valued)]
    jupytext.write(notebook, folder / f"{source.stem}.ipynb")
    page, _ = HTMLExporter().from_notebook_node(notebook)
    (folder / f"{source.stem}.html").write_text(page)
    print(f"{folder / source.stem}.html  {time.monotonic() - started:.0f} s", flush=True)


for lesson in map(Path, sys.argv[1:] or sorted(LESSONS.glob("??/*.py"))):
    execute(lesson)
