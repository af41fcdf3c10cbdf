from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from probeta.data.columns import Columns
from probeta.data.table import TableData
from probeta.errors import ConfigError, DataError
from probeta.runs.reading import Damaged

DRINKS = ("café, small", "tea", "water")


def write(path: Path, rows: list[list[Any]], delimiter: str = ",", encoding: str = "utf-8-sig") -> str:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return str(path)


def drinks(count: int = 90) -> list[list[Any]]:
    """Quoted commas, umlauts, empty cells, truth values, a class that looks like a missing value elsewhere."""
    generator = np.random.default_rng(0)
    rows: list[list[Any]] = [["name", "width", "height (cm)", "smoker", "city", "drink"]]
    for i in range(count):
        c, city = i % 3, ["Köln", 'say "hi"', "NA", ""][generator.integers(4)]
        width = "" if i % 7 == 0 else f"{c + generator.normal() / 2:.4f}"
        rows.append([f"Ms {i}, Jr.", width, f"{-c + generator.normal():.4f}", str(i % 2 == 0).lower(), city, DRINKS[c]])
    return rows


def opened(path: str, **settings: Any) -> TableData:
    data = TableData(path, "drink", **settings)
    data.open(0)
    return data


def test_columns_become_what_scikit_learn_s_pipeline_makes_of_them(tmp_path: Path) -> None:
    data = opened(write(tmp_path / "drinks.csv", drinks()), drop=["name"])
    frame = pd.DataFrame(drinks()[1:], columns=drinks()[0])
    x = pd.DataFrame({
        "width": pd.to_numeric(frame["width"]), "height": pd.to_numeric(frame["height (cm)"]),
        "smoker": (frame["smoker"] == "true").astype(float), "city": frame["city"].replace({"": None, "NA": None}),
    })  # fmt: skip
    y = frame["drink"].map({name: i for i, name in enumerate(sorted(DRINKS))}).to_numpy()
    twin = ColumnTransformer([
        ("width", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["width"]),
        ("lacks width", SimpleImputer(strategy="constant", fill_value=0), []),
        ("rest", StandardScaler(), ["height", "smoker"]),
        ("city", OneHotEncoder(sparse_output=False), ["city"]),
    ])  # fmt: skip
    x_train, x_rest, y_train, y_rest = train_test_split(x, y, test_size=0.4, random_state=42, stratify=y)
    x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, random_state=42, stratify=y_rest)
    twin.fit(x_train)
    for split, part, labels in (("train", x_train, y_train), ("val", x_val, y_val), ("test", x_test, y_test)):
        expected = np.insert(twin.transform(part), 1, part["width"].isna(), axis=1)
        np.testing.assert_allclose(data.splits[split].x, expected, atol=1e-5)
        assert np.array_equal(data.splits[split].y, labels)
    assert data.spec.class_names == tuple(sorted(DRINKS))
    assert data.spec.feature_names[:3] == ("width", "width missing", "height (cm)")
    assert data.spec.feature_names[-1] == "city missing"


def test_nothing_of_validation_and_test_is_fitted(tmp_path: Path) -> None:
    rows = [["width", "city", "part", "drink"]]
    rows += [[i % 5, "ab"[i % 2], "train", "xy"[i % 2]] for i in range(20)]
    rows += [[1e6, "c", split, "x"] for split in ("val", "test")]
    data = opened(write(tmp_path / "t.csv", rows), split="part")
    [width, city] = data.columns.columns
    assert (width.mean, width.scale) == (2.0, pytest.approx(np.std(range(5))))
    assert city.values == ("a", "b")
    assert data.splits["test"].x[0, 1:].tolist() == [0.0, 0.0]


def test_a_text_of_the_training_file_is_text_in_the_others(tmp_path: Path) -> None:
    """A file in which every code is a number by chance does not turn 07 into 7.0."""
    rows = [["code", "drink"], ["a1", "tea"], ["07", "water"], ["b2", "tea"], ["07", "water"]]
    train = write(tmp_path / "train.csv", rows)
    other = write(tmp_path / "other.csv", [["code", "drink"], ["07", "tea"], ["", "water"]])
    data = opened(train, val=other, test=other)
    assert data.columns.columns[0].values == ("07", "a1", "b2")
    assert data.splits["val"].x.tolist() == [[1, 0, 0], [0, 0, 0]]


def test_codes_in_digits_are_text_where_it_is_said(tmp_path: Path) -> None:
    rows = [["code", "drink"], *([["07", "7", ""][i % 3], "xy"[i % 2]] for i in range(30))]
    path = write(tmp_path / "t.csv", rows)
    assert opened(path, categorical=["code"]).columns.columns[0].values == ("07", "7")
    with pytest.raises(ConfigError, match=r"unknown column data.categorical 'kode': did you mean 'code'"):
        opened(path, categorical=["kode"])


def test_a_whole_number_of_its_own_in_every_row_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [[500 - i, i % 7, i / 7, "xy"[i % 2]] for i in range(30)]
    opened(write(tmp_path / "t.csv", [["customer", "week", "size", "drink"], *rows]))
    [told] = [record.getMessage() for record in caplog.records]
    assert "column 'customer'" in told
    assert "data.drop=[customer]" in told


def test_a_table_as_parquet_is_that_table_as_csv(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same splits bit for bit, the same weights, the same predictions."""
    pytest.importorskip("pyarrow")
    from probeta.cli import main

    path = write(tmp_path / "drinks.csv", drinks())
    frame = pd.read_csv(path, na_values=["NA"], float_precision="round_trip")
    frame["smoker"] = frame["smoker"].astype(object).where(frame.index != 3, None)
    frame["tens"] = np.random.default_rng(1).normal(size=len(frame)) / 3
    frame.to_csv(path, index=False)
    frame.to_parquet(tmp_path / "drinks.parquet")
    told = {}
    for ending in ("csv", "parquet"):
        file, run = tmp_path / f"drinks.{ending}", tmp_path / ending
        result = train("data=table", f"data.path={file}", "data.target=drink", "data.drop=[name]", "trainer=cpu",
                       "trainer.max_epochs=3", "model=mlp", into=ending)  # fmt: skip
        told[f"{ending} metrics"] = result["metrics"]
        capsys.readouterr()
        assert main(["predict", f"run={run}", f"input={file}"]) == 0
        told[ending] = pd.read_csv(io.StringIO(capsys.readouterr().out)).iloc[:, -4:]
        data = opened(str(file), drop=["name"])
        told[f"{ending} splits"] = {name: split.x.numpy().tobytes() for name, split in data.splits.items()}
    assert told["csv splits"] == told["parquet splits"]
    assert told["csv metrics"] == told["parquet metrics"]
    pd.testing.assert_frame_equal(told["csv"], told["parquet"], check_exact=True)


def test_parquet_without_pyarrow_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unable(_: Path) -> None:
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pd, "read_parquet", unable)
    (tmp_path / "t.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"pip install 'probeta\[parquet\]'"):
        opened(str(tmp_path / "t.parquet"))


def test_three_files_a_tab_and_a_semicolon_read_alike(tmp_path: Path) -> None:
    rows = [["width", "drink"], *([i, "xy"[i % 2]] for i in range(12))]
    paths = [
        write(tmp_path / "a.csv", rows, ";"),
        write(tmp_path / "b.tsv", rows, "\t", "utf-8"),
        write(tmp_path / "c.csv", rows),
    ]
    data = opened(paths[0], val=paths[1], test=paths[2])
    assert len({split.x.numpy().tobytes() for split in data.splits.values()}) == 1


def test_classes_keep_how_they_are_written_and_numbers_their_order(tmp_path: Path) -> None:
    rows = [["width", "drink"], *([i, ("10", "9", "None")[i % 2]] for i in range(20))]
    assert opened(write(tmp_path / "n.csv", rows)).spec.class_names == ("9", "10")
    rows = [["width", "drink"], *([i, ("NA", "None", "01")[i % 3]] for i in range(30))]
    assert opened(write(tmp_path / "t.csv", rows)).spec.class_names == ("01", "NA", "None")


GOOD = [[i, "ab"[i % 2], "xy"[i % 2]] for i in range(20)]


@pytest.mark.parametrize(
    ("rows", "settings", "told"),
    [
        ([*GOOD, [1, "a", ""]], {}, r"t.csv, row 21, column 'drink': the class is missing"),
        ([[i, "a", i] for i in range(1000)], {}, "column 'drink': 1,000 different numbers, at most 100 classes"),
        ([["", *row[1:]] for row in GOOD], {}, "column 'width': it has no values"),
        ([*GOOD, [1, "a"]], {}, "row 21: 2 cells, and the header has 3"),
        ([*GOOD, [1, "a", "x", "y"]], {}, "row 21: 4 cells"),
        ([*GOOD, *GOOD, ["1,5", "a", "x"]], {}, r"column 'width', row 41: '1,5' is not a number"),
        ([[i, f"id {i}", c] for i, _, c in GOOD], {}, r"20 different texts in 20 rows.*data.drop=\[city\]"),
        ([*GOOD, ["inf", "a", "x"]], {}, "row 21, column 'width': inf is not a finite number"),
        ([*GOOD, [1, "a", "z"]], {}, "class 'z' has 1 rows, from 5 on"),
        ([[1, "a", "x"]] * 20, {}, "every row is of class 'x'"),
        ([], {}, "has a header and no rows"),
        (GOOD, {"features": ["wdth"]}, "unknown column data.features 'wdth': did you mean 'width'"),
        (GOOD, {"split": "city"}, "row 1, column 'city': 'a' is no split"),
        (GOOD, {"drop": ["width", "city"]}, "no column beside"),
    ],
    ids=range(14),
)  # fmt: skip
def test_what_cannot_be_learned_from_is_refused_with_file_row_and_column(
    tmp_path: Path, rows: list[list[Any]], settings: dict[str, Any], told: str
) -> None:
    path = write(tmp_path / "t.csv", [["width", "city", "drink"], *rows])
    with pytest.raises((DataError, ConfigError), match=told):
        opened(path, **settings)


def test_an_unseen_class_in_test_is_refused(tmp_path: Path) -> None:
    header = ["width", "drink"]
    train = write(tmp_path / "a.csv", [header, *([i, "xy"[i % 2]] for i in range(9))])
    test = write(tmp_path / "b.csv", [header, [1, "x"], [1, "z"]])
    with pytest.raises(DataError, match=r"b.csv, row 2, column 'drink': class 'z' is in no training row"):
        opened(train, val=train, test=test)


def test_bad_encoding_two_names_and_none_are_refused(tmp_path: Path) -> None:
    rows = [["width", "drink"], *([i, "xä"[i % 2]] for i in range(12))]
    with pytest.raises(DataError, match="not UTF-8"):
        opened(write(tmp_path / "a.csv", rows, encoding="latin-1"))
    for header, told in (
        (["drink", "drink"], "two columns are called 'drink'"),
        (["", "drink"], "column 1 has no name"),
    ):
        with pytest.raises(DataError, match=told):
            opened(write(tmp_path / "b.csv", [header, *rows[1:]]))


@pytest.mark.parametrize(
    "settings",
    [
        {"shares": [0.5, 0.5, 0.5]}, {"fill": "mode"}, {"val": "a.csv"}, {"split": "part", "folds": 5, "fold": 0},
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TableData("t.csv", "drink", **settings)


def test_what_is_kept_is_data_that_are_checked(tmp_path: Path) -> None:
    fitted = opened(write(tmp_path / "drinks.csv", drinks()), drop=["name"]).columns
    fitted.save(tmp_path)
    assert Columns.load(tmp_path) == fitted
    file = tmp_path / "columns.json"
    file.write_text(file.read_text().replace('"scale": ', '"scale": "__import__" + '))
    with pytest.raises(Damaged):
        Columns.load(tmp_path)


def test_predict_adds_class_and_probabilities_to_the_same_table(
    train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from probeta.cli import main

    path = write(tmp_path / "drinks.csv", drinks())
    train("data=table", f"data.path={path}", "data.target=drink", "data.drop=[name]", "trainer=cpu",
          "trainer.max_epochs=40", "optimizer.lr=0.01", "model=mlp")  # fmt: skip
    Path(path).unlink()  # the run directory is all that predicting needs
    new = write(tmp_path / "new.csv", [[*row[:4], "Rome" if i else row[4]] for i, row in enumerate(drinks())])
    output = tmp_path / "out.csv"
    assert main(["predict", f"run={tmp_path / 'run'}", f"input={new}", f"output={output}"]) == 0
    told, given = pd.read_csv(output), pd.read_csv(new)
    pd.testing.assert_frame_equal(told[given.columns], given)
    assert list(told.columns[-4:]) == ["class", "p_café, small", "p_tea", "p_water"]
    assert np.mean(told["class"] == pd.DataFrame(drinks()[1:])[5]) > 0.6
    np.testing.assert_allclose(told.iloc[:, -3:].sum(axis=1), 1, atol=1e-5)
    assert main(["predict", f"run={tmp_path / 'run'}", f"input={new}", f"output={tmp_path / 'out.parquet'}"]) == 2
    assert "a .csv file" in capsys.readouterr().err
    assert main(["predict", f"run={tmp_path / 'run'}", f"input={new}", f"output={output}"]) == 2
    assert "a file that does not exist yet" in capsys.readouterr().err
    bad = write(tmp_path / "bad.csv", [["width", "height (cm)", "smoker", "city"], ["wide", 1, "true", "Köln"]])
    assert main(["predict", f"run={tmp_path / 'run'}", f"input={bad}"]) == 2
    assert "row 1, column 'width': wide is not a finite number" in capsys.readouterr().err
