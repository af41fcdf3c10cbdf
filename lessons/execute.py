"""Execute lessons and write each as a notebook and as a page: `python lessons/execute.py [FILE …]` (all of them).

Pages need no network: their formulas are MathML, and their colours follow the reader's light or dark mode.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import ziamath
from latex2mathml.converter import convert
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

LESSONS = Path(__file__).parent
ROOT = LESSONS.parent
WRITTEN = ROOT / "outputs" / "lessons"

FONT = "STIXTwoMath-Regular.ttf"
"""Beside the pages: without a font for mathematics a browser does not lower its indices."""

STYLE = """
@font-face { font-family: "STIX Two Math"; src: url("../STIXTwoMath-Regular.ttf"); }
math { font-family: "STIX Two Math", math; }
body { max-width: 56rem; margin: 0 auto; }
.jp-Notebook { padding: 1rem; }
.jp-Cell .jp-InputPrompt, .jp-Cell .jp-OutputPrompt { display: none; }
.jp-OutputArea-output, .jp-InputArea-editor { overflow-x: auto; max-width: 100%; }
.jp-RenderedHTMLCommon math[display=block] {
  display: block math; margin: 1em 0; padding: .2em 0; font-size: 110%; overflow: auto hidden; max-width: 100%;
}
.jp-OutputArea-output img { max-width: 100%; height: auto; }
"""


class Renderer(IPythonRenderer):
    """Markdown whose formulas browsers draw themselves."""

    def block_math(self, body: str) -> str:
        return convert(body, display="block")

    def inline_math(self, body: str) -> str:
        return convert(body)


class Page(HTMLExporter):
    """A notebook as one file, which follows the reader's colour scheme."""

    def default_filters(self) -> Iterator[Any]:
        yield from super().default_filters()
        yield "markdown2html", MarkdownWithMath(renderer=Renderer(escape=False, anchor_link_text="")).render

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **kw: Any) -> tuple[str, Any]:
        html, resources = super().from_notebook_node(nb, resources, **kw)
        static = next(folder for path in self.template_paths if (folder := Path(path, "static")).is_dir())
        dark = (static / "theme-dark.css").read_text()
        html = re.sub(r"<script[^>]* src=.*?</script>", "", html, flags=re.DOTALL)
        style = f"<style>{STYLE}@media (prefers-color-scheme: dark) {{{dark}}}</style>"
        return html.replace("</head>", f"{style}</head>"), resources


def is_progress(output: NotebookNode, valued: bool) -> bool:
    """What is for who waits: bars, and what a call reports beside the value that the cell shows."""
    return output.output_type == "stream" and (valued or output.name == "stderr")


def installs_from(folder: Path) -> str:
    """What the first cell of a notebook in `folder` installs: the address of the repository where one is known
    (`[project.urls] Repository`, else where it was cloned from), else its folder."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    cloned = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    origin = project.get("urls", {}).get("Repository", cloned)
    return f"git+{origin}" if origin.startswith("https://") else os.path.relpath(ROOT, folder)


def execute(source: Path) -> None:
    """The lesson in a kernel of its own, whose folder is the one that it is written to."""
    folder = WRITTEN / source.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(ziamath.__file__).parent / "fonts" / FONT, WRITTEN)
    notebook = jupytext.read(source)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = first.source.replace('"../.."', f'"{installs_from(folder)}"')
    started, before = time.monotonic(), os.times()
    where = {"metadata": {"path": str(folder)}}
    quiet = ["--log-level=ERROR"]
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where, extra_arguments=quiet).execute()
    seconds, after = time.monotonic() - started, os.times()
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        valued = any(output.output_type == "execute_result" for output in cell.outputs)
        cell.outputs = [output for output in cell.outputs if not is_progress(output, valued)]
    jupytext.write(notebook, folder / f"{source.stem}.ipynb")
    page, _ = Page(language_code=source.parent.name).from_notebook_node(notebook)
    (folder / f"{source.stem}.html").write_text(page)
    print(f"{folder / source.stem}.html  {seconds:.0f} s, {busy:.0f} s of them on the CPU", flush=True)


for lesson in map(Path, sys.argv[1:] or sorted(LESSONS.glob("??/*.py"))):
    execute(lesson)
