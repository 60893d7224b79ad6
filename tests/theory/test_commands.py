"""`hardlimit list claims`, `hardlimit explain` and `hardlimit bounds`, as a user calls them."""

import json
import os

import pytest

from hardlimit.cli import main
from hardlimit.theory import CLAIMS

LLAMA = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 256,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _empty_hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("COLUMNS", "100")


def test_ledger_has_one_line_per_claim(capsys):
    assert main(["list", "claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1 : len(CLAIMS) + 1]] == list(CLAIMS)
    assert lines[4].split() == [
        "HALL-4", "proved", "hallucination", "inevitable", "is", "not", "frequent", "HELPS", "training", "data",
    ]  # fmt: skip
    assert lines[-1].startswith(f"{len(CLAIMS)} claims: ")


def test_ledger_as_json(capsys):
    assert main(["list", "claims", "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == list(CLAIMS)


@pytest.mark.parametrize("name", ["CTX-3", "HALL-9", "RETR-4", "PAPER-MARGIN"])
def test_explain_tells_everything(name, capsys):
    assert main(["explain", name.lower()]) == 0
    out = " ".join(capsys.readouterr().out.split())
    statement = CLAIMS[name]
    for text in (statement.says, statement.silent_on, statement.falsified_by, statement.worked, statement.paper):
        assert " ".join(text.split()) in out.replace("  ", " ")
    for line in statement.formula.splitlines():
        assert " ".join(line.split()) in out


def test_explain_with_its_check(capsys):
    assert main(["explain", "CTX-3", "--check"]) == 0
    assert "Check holds: softmax of the row" in " ".join(capsys.readouterr().out.split())


def test_explain_as_json(capsys):
    assert main(["explain", "CTX-3", "--json", "--check"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["statement"]["id"] == "CTX-3"
    assert document["example"]["quantity"]["id"] == "needle_weight" and document["check"]["holds"] is True


def test_explain_an_unknown_claim(capsys):
    assert main(["explain", "CTX-33"]) == 2
    assert capsys.readouterr().err.startswith("hardlimit: No claim is named 'CTX-33'. Did you mean 'CTX-3'? Known: ")


def test_bounds_of_the_table(capsys):
    assert main(["bounds", "meta-llama/llama-3.1-8b"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Llama-3.1-8B: 8,030,261,248 parameters, 32 layers, 32 heads of width 128 (8 for keys and values)" in out
    assert "vacuous here: " in out and "16.0 GiB" in out


def test_bounds_as_json(capsys):
    assert main(["bounds", "GPT-2", "--json", "--context", "512", "--precision", "fp32"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["setting"]["context"] == 512 and document["architecture"]["parameters"] == 124439808
    memory = next(row for row in document["bounds"] if row["question"].startswith("How much memory"))
    assert memory["claim"]["value"] == 12 * 2 * 768 * 4 * 512


@pytest.mark.parametrize("how", ["file", "folder", "local:"])
def test_bounds_of_a_configuration(how, tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA))
    name = {"file": str(path), "folder": str(tmp_path), "local:": f"local:{tmp_path}"}[how]
    assert main(["bounds", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"]["layers"] == 2


def test_bounds_of_a_cached_hub_model(tmp_path, capsys):
    for age, layers in (("old", 2), ("new", 3)):
        snapshot = tmp_path / "hub" / "models--some--model" / "snapshots" / age
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text(json.dumps({**LLAMA, "num_hidden_layers": layers}))
        os.utime(snapshot / "config.json", (layers, layers))
    assert main(["bounds", "some/model", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"]["layers"] == 3


def test_bounds_of_the_embedded_model(capsys):
    assert main(["bounds", "embedded", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"]["name"] == "SmolLM2-135M"


def test_unknown_model(capsys):
    assert main(["bounds", "llama-3.1-9b"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(
        "hardlimit: No model in the table is named 'llama-3.1-9b'. Did you mean 'Llama-3.1-8B'? Known: "
    )
    assert err.rstrip().endswith(
        "Or give the path of a config.json or of the folder it is in; 'llama-3.1-9b' is neither a path nor a model in "
        "the local hub cache."
    )


def test_folder_without_configuration(tmp_path, capsys):
    assert main(["bounds", str(tmp_path)]) == 3
    assert capsys.readouterr().err == (
        f"hardlimit: {tmp_path}/config.json cannot be read (No such file or directory). Name a config.json, or a "
        "folder that holds one.\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a JSON file (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)), so it "
              "is no model's configuration."),
        ("[]", "holds a JSON list, not a model's configuration."),
    ],
)  # fmt: skip
def test_files_that_are_no_configuration(text, message, tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(text)
    assert main(["bounds", str(path)]) == 2
    assert capsys.readouterr().err == f"hardlimit: {path} {message}\n"


def test_hostile_names_are_text(tmp_path, capsys):
    folder = tmp_path / "[red]x[blink]"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    assert main(["bounds", str(folder)]) == 0
    assert "[red]x[blink]" in capsys.readouterr().out.replace("\n", "")


def test_parameters_by_hand(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA, "model_type": "rwkv"}))
    assert main(["bounds", str(path)]) == 2
    assert "Say how many it has, with --parameters." in capsys.readouterr().err
    assert main(["bounds", str(path), "--parameters", "1000000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["architecture"]["parameters"] == 1_000_000
