"""Archives of weights: a changed byte is noticed, a link is not followed, equal weights have equal hashes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from probeta.errors import RunDirectoryError
from probeta.models.weights import load_archive, save_archive, weights_sha256

STATE = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(1.5, dtype=torch.bfloat16), "c": torch.tensor(3)}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save_archive({"state_dict": STATE}, tmp_path / "w.ckpt")
    loaded = load_archive(tmp_path / "w.ckpt")["state_dict"]
    assert all(torch.equal(loaded[name], value) for name, value in STATE.items())
    assert weights_sha256(loaded) == weights_sha256(STATE)


def test_a_flipped_bit_in_a_weight_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.ckpt"
    save_archive({"state_dict": STATE}, path)
    content = bytearray(path.read_bytes())
    at = content.index(torch.arange(6.0).numpy().tobytes())
    content[at + 7] ^= 0x80
    path.write_bytes(content)
    # What torch itself makes of it: other weights, without a word.
    assert not torch.equal(torch.load(path, weights_only=True)["state_dict"]["a"], STATE["a"])
    with pytest.raises(RunDirectoryError, match="damaged"):
        load_archive(path)
    assert load_archive(path, whole=False).keys() == {"state_dict"}  # which reads no weight


def test_what_is_kept_beside_the_weights_is_checked_without_them(tmp_path: Path) -> None:
    path = tmp_path / "w.ckpt"
    save_archive({"state_dict": STATE, "inputs": {"data_sha256": "a" * 64}}, path)
    assert load_archive(path, whole=False)["inputs"] == {"data_sha256": "a" * 64}
    path.write_bytes(path.read_bytes().replace(b"a" * 64, b"a" * 63 + b"b"))
    with pytest.raises(RunDirectoryError, match="damaged"):
        load_archive(path, whole=False)


@pytest.mark.parametrize("content", [b"", b"PK", b"\0" * 200, b"no archive at all"])
def test_what_is_no_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.ckpt").write_bytes(content)
    with pytest.raises(RunDirectoryError, match=r"w\.ckpt"):
        load_archive(tmp_path / "w.ckpt")


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "w.ckpt").symlink_to(tmp_path / "mine")
    save_archive({"state_dict": STATE}, tmp_path / "w.ckpt")
    assert (tmp_path / "mine").read_text() == "precious"
    assert not (tmp_path / "w.ckpt").is_symlink()


@pytest.mark.parametrize("change", [{"a": torch.zeros(2, 3)}, {"a": torch.arange(6.0)}, {"d": torch.tensor(0)}])
def test_other_values_shapes_and_names_have_other_hashes(change: dict[str, torch.Tensor]) -> None:
    assert weights_sha256({**STATE, **change}) != weights_sha256(STATE)
