from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from probeta.sweeps.driver import END, Driver, asks_to_end


def test_a_driver_is_known_to_live_until_it_has_ended_reaped_or_not() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = Driver.here()
    other = Driver(process.pid, here.place, here.folder)
    assert not other.is_gone()
    assert not other.is_this_process()
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert other.is_gone()
    process.wait()
    assert other.is_gone()
    assert here.is_this_process()
    assert not here.is_gone()


def test_a_process_of_another_machine_is_never_taken_for_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not Driver(gone.pid, "elsewhere", "/").is_gone()


def test_a_stop_file_says_whether_running_jobs_are_to_end_too(tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    assert not asks_to_end(stop)
    stop.touch()
    assert not asks_to_end(stop)
    stop.write_text(END)
    assert asks_to_end(stop)
