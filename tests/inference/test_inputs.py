from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from probeta.errors import ConfigError, DataError
from probeta.inference.inputs import read_lexicon, read_points, translate_stream


def upper(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def test_a_lexicon_is_a_word_a_tab_and_its_translation(tmp_path: Path) -> None:
    path = tmp_path / "lexicon"
    path.write_text("dog\tHund\ncat\tKatze\n")
    assert read_lexicon(path) == {"dog": "Hund", "cat": "Katze"}
    path.write_text("dog\tHund\ncat Katze\n")
    with pytest.raises(DataError, match="line 2"):
        read_lexicon(path)


def test_a_pipe_is_answered_without_waiting_for_its_end() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        answers = translate_stream(upper, stream)
        pipe.write(b"one\n")
        assert next(answers) == "ONE"
        pipe.write(b"two\n\nthr")
        assert [next(answers), next(answers)] == ["TWO", ""]
        pipe.write("ee\nfür".encode())
        pipe.close()
        assert list(answers) == ["THREE", "FÜR"]


def test_points_come_as_json_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_points({"x": "[[0.5, 1], [2, 3]]"}) == [[0.5, 1.0], [2.0, 3.0]]
    path = tmp_path / "points.csv"
    path.write_text("0.5,1\n\n2;3\n")
    assert read_points({"input": str(path)}) == [[0.5, 1.0], [2.0, 3.0]]
    monkeypatch.setattr("sys.stdin", io.StringIO("4,5\n"))
    assert read_points({}) == [[4.0, 5.0]]
    with pytest.raises(ConfigError, match="points as JSON"):
        read_points({"x": "[0.5"})
    for text in ("[]", "[[NaN, 1]]", "[[1, 1e999]]", "5"):
        with pytest.raises(ConfigError, match="points as JSON"):
            read_points({"x": text})
    path.write_text("1,2\n1,two\n")
    with pytest.raises(DataError, match="line 2: '1,two'"):
        read_points({"input": str(path)})
