from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import pytest

from probeta.runs.signals import ENDING, Interrupted, Signals, ask


def send(signum: int) -> None:
    os.kill(os.getpid(), signum)


def passed(context: AbstractContextManager[None], *requests: Callable[[], None]) -> int:
    """How many `requests` had been made inside `context` when `Interrupted` was raised."""
    made = 0
    try:
        with context:
            for request in requests:
                request()
                made += 1
    except Interrupted:
        return made
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("signum", ENDING)
def test_signals_are_noted_raise_at_once_or_wait_for_a_check(signum: int) -> None:
    before = signal.getsignal(signum)
    with Signals() as signals:
        send(signum)
        send(signum)
        assert signals.received == signum
    with Signals() as signals:
        assert passed(signals.at_once(), partial(send, signum)) == 0
    with Signals() as signals:
        assert passed(signals.patiently(), partial(send, signum)) == 1
    assert signal.getsignal(signum) is before


def test_a_second_signal_does_not_wait_unless_it_is_the_first_again() -> None:
    twice = (partial(send, signal.SIGINT), partial(send, signal.SIGTERM))
    with Signals() as signals:
        assert passed(signals.patiently(), *twice) == 1
    with Signals(repeats=False) as signals:
        assert passed(signals.patiently(), *twice) == 2


def test_what_was_ignored_when_the_terminal_closes_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals, signals.at_once():
            send(signal.SIGHUP)
        assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_handler_that_a_library_has_put_over_ours_is_taken_back() -> None:
    with Signals() as signals:
        signal.signal(signal.SIGTERM, lambda *_: None)
        signals.take_back()
        send(signal.SIGTERM)
        assert signals.received == signal.SIGTERM


def test_asking_is_a_signal_that_is_heard_once() -> None:
    with Signals() as signals:
        assert passed(signals.patiently(), *[partial(ask, signal.SIGTERM)] * 2) == 2


def test_an_interruption_says_its_signal_and_the_shells_status_in_another_process_too() -> None:
    copy = pickle.loads(pickle.dumps(Interrupted(signal.SIGHUP)))
    assert (str(copy), copy.exit_code) == ("SIGHUP", 129)
