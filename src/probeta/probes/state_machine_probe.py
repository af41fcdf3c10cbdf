"""`probe=state_machine`: the three-state machine with fixed and with learned weights, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from probeta.probes.probe import Findings, Probe, Row, Subject
from probeta.probes.setting import positive, whole
from probeta.probes.state_machine import Cell, Learned, expected_states, inputs, learn, read

PATH_POINTS = 100


class StateMachineProbe(Probe):
    """`inputs` through the fixed weights and through the learned ones; `restarts=0` learns nothing."""

    name = "state_machine"

    def __init__(
        self,
        inputs: Sequence[int] = (1, 1, -1, -1, 1, 1),
        w_xh: float = -10.0,
        w_hh: float = 10.0,
        b: float = 0.0,
        restarts: int = 16,
        updates: int = 600,
        learning_rate: float = 0.1,
        sequences: int = 64,
        length: int = 8,
        test_length: int = 100,
    ) -> None:
        self.inputs = check_inputs(inputs)
        self.weights = (float(w_xh), float(w_hh), float(b))
        self.restarts = whole("probe.restarts", restarts, 0)
        self.learning_rate = positive("probe.learning_rate", learning_rate)
        self.sizes = {
            "updates": whole("probe.updates", updates, 1),
            "sequences": whole("probe.sequences", sequences, 1),
            "length": whole("probe.length", length, 1),
            "test_length": whole("probe.test_length", test_length, 1),
        }

    def measure(self, seed: int, subject: Subject | None) -> Findings:
        x = inputs(self.inputs)
        states, expected = Cell.fixed(*self.weights).run(x)[0, 0], expected_states(x)[0]
        right = float((read(states) == expected).double().mean())
        metrics = {"fixed/accuracy": right}
        report = [
            "input     " + " ".join(f"{int(v):+d}" for v in self.inputs),
            "expected  " + " ".join(f"{int(v):+d}" for v in expected),
            "fixed     " + " ".join(f"{int(v):+d}" for v in read(states)) + f"   ({right:.0%} right)",
        ]
        learned = None
        if self.restarts:
            learned = learn(restarts=self.restarts, learning_rate=self.learning_rate, seed=seed, **self.sizes)
        best = 0 if learned is None else int(learned.losses[:, -1].argmin())
        own = None if learned is None else learned.cell.run(x)[best, 0]
        rows: list[Row] = [
            {
                "quantity": "state", "t": t + 1, "x": int(self.inputs[t]), "expected": int(expected[t]),
                "state": float(states[t]), "learned_state": None if own is None else float(own[t]),
            }
            for t in range(len(self.inputs))
        ]  # fmt: skip
        if learned is not None and own is not None:
            rows += path_rows(learned)
            solved = float((learned.accuracy == 1).double().mean())
            w_xh, w_hh, b = (float(w) for w in learned.path[-1, best])
            metrics |= {
                "learned/solved": solved, "learned/accuracy": float(learned.accuracy[best]),
                "learned/loss": float(learned.losses[best, -1]), "learned/w_xh": w_xh, "learned/w_hh": w_hh,
                "learned/b": b,
            }  # fmt: skip
            report += [
                "learned   " + " ".join(f"{int(v):+d}" for v in read(own)),
                f"{solved:.0%} of {self.restarts} starts learned the machine "
                f"(right on new sequences of {self.sizes['test_length']} steps)",
                f"best weights: W_xh = {w_xh:.2f}, W_hh = {w_hh:.2f}, b = {b:.3f}",
            ]
        return Findings(rows, metrics, report=report)


def check_inputs(values: Sequence[int]) -> list[int]:
    inputs(values)
    return [int(value) for value in values]


def path_rows(learned: Learned) -> list[Row]:
    """Some hundred points of each start's way; a row holds the weights and the loss before an update."""
    updates = learned.losses.shape[1]
    points = sorted({round(i * (updates - 1) / PATH_POINTS) for i in range(PATH_POINTS + 1)})
    return [
        {
            "quantity": "learned", "restart": k, "update": u, "loss": float(learned.losses[k, u]),
            "w_xh": float(learned.path[u, k, 0]), "w_hh": float(learned.path[u, k, 1]),
            "b": float(learned.path[u, k, 2]), "accuracy": float(learned.accuracy[k]),
        }
        for k in range(len(learned.accuracy))
        for u in points
    ]  # fmt: skip
