"""TensorBoard's event files, written at once when a run is over.

The usual writer starts a thread per run and computes its checksums in Python, byte by byte: for a thousand tiny
runs that would take longer than training them. The events themselves are TensorBoard's own protocol buffers.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard.summary import hparams

from probeta.runs.atomic import write_atomic

_numbers = itertools.count()


@cache
def make_crc_table() -> Any:
    """CRC-32C (Castagnoli, reflected) of every byte."""
    table: Any = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


def compute_masked_crcs(payloads: Sequence[bytes]) -> list[int]:
    """The checksum that a TFRecord keeps of each payload; payloads of one length are computed together."""
    by_length: dict[int, list[int]] = {}
    for i, payload in enumerate(payloads):
        by_length.setdefault(len(payload), []).append(i)
    crcs = [0] * len(payloads)
    table = make_crc_table()
    for length, places in by_length.items():
        columns = np.frombuffer(b"".join(payloads[i] for i in places), np.uint8).reshape(len(places), length).T
        crc: Any = np.full(len(places), 0xFFFFFFFF, np.uint32)
        for column in np.ascontiguousarray(columns):
            crc = table[(crc ^ column) & 0xFF] ^ (crc >> 8)
        crc = crc ^ 0xFFFFFFFF
        masked = ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
        for i, value in zip(places, masked.tolist(), strict=True):
            crcs[i] = value
    return crcs


def frame_records(payloads: Sequence[bytes]) -> list[bytes]:
    """Each payload as a TFRecord: length, its checksum, payload, its checksum."""
    lengths = [struct.pack("<Q", len(payload)) for payload in payloads]
    heads, tails = compute_masked_crcs(lengths), compute_masked_crcs(payloads)
    return [
        length + struct.pack("<I", head) + payload + struct.pack("<I", tail)
        for length, head, payload, tail in zip(lengths, heads, payloads, tails, strict=True)
    ]


def make_events(
    rows: Sequence[tuple[int, Mapping[str, float]]], settings: Mapping[str, Any], metrics: Mapping[str, float]
) -> list[bytes]:
    """A run's events: its curves, and (where it was finished) what the HPARAMS tab shows and the test's metrics."""
    now = time.time()
    events = [Event(wall_time=now, file_version="brain.Event:2")]
    for step, row in rows:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in row.items()]
        events.append(Event(wall_time=now, step=step, summary=Summary(value=values)))
    if metrics:
        told = {k: v if isinstance(v, (bool, int, float, str)) else str(v) for k, v in settings.items()}
        events += [Event(wall_time=now, summary=summary) for summary in hparams(told, dict(metrics))[1:]]
        tested = [Summary.Value(tag=k, simple_value=v) for k, v in metrics.items() if k.startswith("test/")]
        events.append(Event(wall_time=now, step=0, summary=Summary(value=tested)))
    return [event.SerializeToString() for event in events]


def write_events(runs: Sequence[tuple[Path, list[bytes]]]) -> None:
    """One event file into each folder; checksums of all runs are computed together."""
    framed = iter(frame_records([payload for _, events in runs for payload in events]))
    for folder, events in runs:
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        write_atomic(folder / name, b"".join(itertools.islice(framed, len(events))), sync=False)
