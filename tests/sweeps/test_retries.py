from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

from probeta.composition.composer import Composer
from probeta.runs.record import new_record, read_result
from probeta.sweeps.jobs import SweepJob
from probeta.sweeps.retries import Ended, write_missing_result


def test_the_record_of_a_job_that_left_none_has_the_fields_of_every_record(tmp_path: Path) -> None:
    composer = Mock(Composer, **{"resolve.return_value": {"seed": 3}})
    job = SweepJob(0, "here", tmp_path, ("seed=3",), composer)
    error = {"type": "WorkerKilled", "message": "its worker process died without a word", "traceback": ""}
    assert write_missing_result(Ended(job, {"status": "failed", "error": error}), "joblib")
    result = read_result(tmp_path / "here")
    assert result == {**new_record(job.sha256, 3, ["seed=3"], "joblib"), "status": "failed", "error": error}
