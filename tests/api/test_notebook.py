"""In a kernel, as a notebook has one: the stop button, progress, what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LONG = 'probeta.train("experiment=moons_mlp", "trainer.max_epochs=1000", "callbacks.early_stopping.patience=null"'
SECONDS = 300


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[Any, Any]]:
    """Its manager and its client."""
    pytest.importorskip("ipykernel")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(tmp_path), extra_arguments=["--HistoryManager.enabled=False"])
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def execute(client: Any, code: str) -> Iterator[dict[str, Any]]:
    """The messages of a cell, as they come, until it has ended."""
    asked = client.execute(code)
    while True:
        message = client.get_iopub_msg(timeout=SECONDS)
        if message["parent_header"].get("msg_id") != asked:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return
        yield message


def run_cell(client: Any, code: str) -> list[dict[str, Any]]:
    messages = list(execute(client, code))
    assert [message["content"]["evalue"] for message in messages if message["msg_type"] == "error"] == []
    return messages


def written(messages: list[dict[str, Any]]) -> str:
    return "".join(message["content"]["text"] for message in messages if message["msg_type"] == "stream")


@pytest.mark.slow
def test_the_stop_button_stops_a_run_that_resume_goes_on_with(kernel: tuple[Any, Any]) -> None:
    manager, client = kernel
    run_cell(client, "import probeta, sys")
    stopped, shown = False, []
    for message in execute(client, f'run = {LONG}, "output_dir=stopped")'):
        shown.append(message)
        if not stopped and re.search(r"epoch.*train/loss", written([message])):
            manager.interrupt_kernel()
            stopped = True
    [error] = [message["content"] for message in shown if message["msg_type"] == "error"]
    assert error["ename"] == "KeyboardInterrupt"
    assert re.search(r"probeta\.resume\('stopped/.*'\) goes on", error["evalue"])
    assert "Warning" not in written(shown)
    run_cell(client, "stopped = sys.last_value.run; assert stopped.status == 'interrupted'")
    run_cell(client, "resumed = probeta.resume(stopped); assert resumed.path == stopped.path")
    run_cell(client, f"whole = {LONG}); assert resumed.metrics == whole.metrics")
    [told] = [m["content"]["data"] for m in run_cell(client, "resumed") if m["msg_type"] == "execute_result"]
    assert "completed" in told["text/plain"]
    assert told["text/html"].count("<img ") == 2  # loss and accuracy


@pytest.mark.slow
def test_a_mistake_is_told_in_a_line_and_an_attention_is_a_panel(kernel: tuple[Any, Any]) -> None:
    _, client = kernel
    run_cell(client, "import probeta")
    [error] = [m["content"] for m in execute(client, 'probeta.train("optimizer.lrr=1")') if m["msg_type"] == "error"]
    assert (error["ename"], "optimizer.lr" in error["evalue"]) == ("ConfigError", True)
    shown = run_cell(client, 'run = probeta.train("experiment=toy_seq2seq_attn", "trainer.max_epochs=2", lang="es")')
    assert "Warning" not in written(shown)
    [panel] = [
        m["content"]["data"]
        for m in run_cell(client, 'run.attention("i like books")')
        if m["msg_type"] == "execute_result"
    ]
    assert "A qué miró cada palabra" in panel["text/html"]


NET = """import torch

class Line(torch.nn.Module):
    def __init__(self, in_features, classes):
        super().__init__()
        self.map = torch.nn.Linear(in_features, classes)

    def forward(self, x):
        return self.map(x)
"""


@pytest.mark.slow
def test_a_net_of_a_cell_is_trained_kept_and_loaded(kernel: tuple[Any, Any], tmp_path: Path) -> None:
    _, client = kernel
    run_cell(client, f"%config InlineBackend.figure_format = 'png'\n{NET}")
    run_cell(client, 'import probeta; run = probeta.train("data=moons", "trainer.max_epochs=2", model=Line)')
    run_cell(client, "again = probeta.load_run(run.path, model=Line); assert len(again.predict([[0, 0]])) == 1")
    [kept] = tmp_path.glob("outputs/train/*/artifacts/model*")
    assert kept.read_text().strip() == NET.partition("\n\n")[2].strip()
