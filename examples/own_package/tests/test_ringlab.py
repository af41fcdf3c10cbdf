import math
from pathlib import Path

import pytest
import torch
from ringlab.data import Rings
from ringlab.model import RadialNet

import probeta
from probeta.cli import main
from probeta.runs.frame import load_sweep

CONF = str(Path(__file__).parents[1] / "conf")


def test_the_net_is_the_sum_over_its_centres() -> None:
    net, x = RadialNet(2, 3, centres=4, scale=0.7), torch.randn(5, 2)
    for point, logits in zip(x, net(x), strict=True):
        units = [math.exp(-float((point - c).square().sum()) / (2 * 0.7**2)) for c in net.centres]
        for k in range(3):
            expected = sum(float(w) * u for w, u in zip(net.output.weight[k], units, strict=True))
            assert math.isclose(float(logits[k]), expected + float(net.output.bias[k]), abs_tol=1e-5)


def test_the_rings_lie_where_they_should() -> None:
    data = Rings(noise=0.0)
    data.open(0)
    x, y = data.splits["train"]
    assert torch.allclose(x.norm(dim=1), (y + 1) / 3, atol=1e-6)
    assert data.spec.class_counts == (120, 120, 120)


def test_it_trains_alone_and_is_swept_as_one_batch_dimension_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["--config-dir", CONF, "experiment=rings", "trainer=cpu", "trainer.max_epochs=60"]
    assert main(["train", *line]) == 0
    [run] = (tmp_path / "outputs" / "train").iterdir()
    assert main(["predict", f"run={run}", "x=[[0.33,0],[0,1]]", "trust=[ringlab]"]) == 0
    assert [row[0] for row in capsys.readouterr().out.splitlines()[-2:]] == ["0", "2"]
    assert main(["train", "-m", *line, "model.centres=2,16", "seed=1,2", "hydra/launcher=vectorized"]) == 0
    [sweep] = [folder for folder in (tmp_path / "outputs").iterdir() if folder.name != "train"]
    rows = load_sweep(sweep)
    assert len(rows) == 4
    assert all(probeta.load_run(path, trust=["ringlab"]).result["launcher"] == "vectorized" for path in rows["path"])
    assert rows.groupby("model.centres")["test/acc"].mean()[16] >= 0.95
    assert main(["report", str(sweep)]) == 0
    assert "centres=16" in (sweep / "report.html").read_text()
