"""A Ray cluster that runs already: a head and a second node, each as `ray start` begins it, with Ray's token."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probeta.runs.record import read_result
from tests.sweeps.command import environment, run

pytest.importorskip("ray")

CLUSTER = ["hydra/launcher=ray", "name=here", "seed=1,2,3,4", "steps=4", "delay=0.05"]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster of two nodes with a processor each."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    address = f"127.0.0.1:{free_port()}"
    small = ["--num-cpus=1", "--object-store-memory=78643200", "--block"]
    head = [
        "--head",
        "--node-ip-address=127.0.0.1",
        f"--port={address.rpartition(':')[2]}",
        "--include-dashboard=false",
    ]
    nodes = []
    # Not in Ray's usual place, where other programs would find the cluster; short, as it holds the paths of sockets.
    folder = tempfile.mkdtemp(prefix="ray")
    log = tmp_path_factory.mktemp("ray") / "log"
    try:
        for place in (head, [f"--address={address}"]):
            started = log.read_text().count("Ray runtime started") if log.exists() else 0
            with log.open("a") as file:
                nodes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "ray.scripts.scripts", "start", *place, *small],
                        env={**environment(), "RAY_AUTH_MODE": "token", "RAY_TMPDIR": folder},
                        stdout=file,
                        stderr=file,
                        start_new_session=True,
                    )
                )
            while log.read_text().count("Ray runtime started") == started:
                assert nodes[-1].poll() is None, log.read_text()
                time.sleep(0.1)
        yield address
    finally:
        for node in reversed(nodes):
            node.terminate()
            try:
                node.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(node.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_jobs_run_on_a_cluster_that_is_named_by_its_address(tmp_path: Path, cluster: str) -> None:
    done = run(tmp_path, *CLUSTER, f"hydra.launcher.ray.init.address={cluster}")
    assert done.returncode == 0, done.stdout + done.stderr
    results = [read_result(path.parent) or {} for path in tmp_path.glob("outputs/here/*/result.json")]
    assert [result["status"] for result in results] == ["completed"] * 4


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_told_once_and_leaves_no_run(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    done = run(tmp_path, *CLUSTER, f"hydra.launcher.ray.init.address={address}")
    assert done.returncode == 2
    assert f"hydra.launcher.ray.init.address={address}: no Ray cluster is joined there" in done.stderr
    assert not list(tmp_path.glob("outputs/here/*/result.json"))
