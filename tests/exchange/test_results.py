import json
import zipfile
from pathlib import Path

import pytest

from hardlimit.core import InsufficientDataError, InvalidValueError
from hardlimit.exchange import read_csv, read_inspect, read_json_lines, read_lm_eval, read_parquet, read_results
from hardlimit.scaling import curves_in

PYTHIA = Path(__file__).parents[2] / "examples" / "pythia"


def write(path, text):
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


NEW_FORMAT = {
    "results": {
        "mmlu": {"acc,none": 0.3, "acc_stderr,none": 0.01, "alias": "mmlu"},
        "mmlu_anatomy": {"acc,none": 0.25, "acc_stderr,none": 0.04, "alias": " - anatomy"},
        "gsm8k": {
            "exact_match,strict-match": 0.1, "exact_match_stderr,strict-match": "N/A",
            "exact_match,flexible-extract": 0.12, "exact_match_stderr,flexible-extract": 0.009,
        },
        "odd": {"vibes,none": 3.5, "alias": "odd"},
    },
    "group_subtasks": {"mmlu": ["mmlu_anatomy"], "gsm8k": []},
    "n-samples": {"mmlu_anatomy": {"original": 135, "effective": 135}},
    "n-shot": {"mmlu_anatomy": 5},
    "higher_is_better": {"odd": {"vibes": False}},
    "config": {"model": "hf", "model_args": "pretrained=org/fam-1.5B,dtype=auto", "model_num_parameters": 1543714304},
    "model_name": "org/fam-1.5B",
}  # fmt: skip


def test_the_old_format_as_published():
    records = read_lm_eval(PYTHIA / "pythia-70m_step143000.json")
    assert len(records) == 172
    (one,) = [r for r in records if (r.task, r.metric) == ("hendrycksTest-global_facts", "acc")]
    assert (one.model, one.step, one.shots) == ("EleutherAI/pythia-v1.1-70m", 143000, 0)
    assert (one.value, one.stderr) == (0.22, 0.04163331998932269)
    curves = curves_in(read_results(sorted(PYTHIA.glob("*.json")))).curves
    assert len(curves) == 172
    (facts,) = [c for c in curves if (c.task, c.metric) == ("hendrycksTest-global_facts", "acc")]
    assert facts.items.tolist() == [100] * 7
    assert facts.scales.tolist() == [7e7, 1.6e8, 4.1e8, 1.4e9, 2.8e9, 6.9e9, 1.2e10]


def test_the_present_format(tmp_path):
    records = read_lm_eval(write(tmp_path / "r.json", NEW_FORMAT))
    by = {(r.task, r.metric): r for r in records}
    assert ("mmlu", "acc") not in by  # an aggregate repeats its tasks
    anatomy = by["mmlu_anatomy", "acc"]
    assert (anatomy.n, anatomy.shots, anatomy.subject, anatomy.scale) == (135, 5, "mmlu", 1543714304)
    assert by["gsm8k", "exact_match@strict-match"].stderr is None
    assert by["gsm8k", "exact_match@flexible-extract"].stderr == 0.009
    assert by["odd", "vibes"].better == "lower"
    assert {r.model for r in records} == {"org/fam-1.5B"}


def test_model_arguments_as_a_table(tmp_path):
    document = {**NEW_FORMAT, "config": {"model_args": {"pretrained": "org/fam-3B", "revision": "step10"}}}
    (first, *_) = read_lm_eval(write(tmp_path / "r.json", document))
    assert (first.model, first.step) == ("org/fam-3B", 10)


def test_a_long_table(tmp_path):
    text = "Model,task,metric,score,n,se,params,extra\nfam-1b,t,acc,50%,100,,1.4b,x\n fam-2b ,t,acc,0.6,,0.05,2e9,y\n"
    first, second = read_csv(write(tmp_path / "r.csv", text))
    assert (first.value, first.n, first.stderr, first.scale, first.source) == (0.5, 100, None, 1.4e9, "r.csv line 2")
    assert (second.model, second.value, second.stderr, second.scale) == ("fam-2b", 0.6, 0.05, 2e9)


def test_the_published_checkpoints():
    records = read_csv(PYTHIA / "checkpoints.csv")
    assert len(records) == 4116
    read = curves_in(records)
    assert len(read.curves) == 28
    assert read.notes == ("Read at training step 143000; checkpoints of one run are not independent points.",)


def test_json_lines_and_parquet_say_the_same(tmp_path):
    rows = [
        {"model": "fam-1b", "task": "t", "metric": "acc", "value": 0.5, "n": 10, "better": "higher", "subject": "s"}
    ]
    lines = read_json_lines(write(tmp_path / "r.jsonl", "\n".join(json.dumps(row) for row in rows) + "\n\n"))
    assert (lines[0].n, lines[0].better, lines[0].subject, lines[0].source) == (10, "higher", "s", "r.jsonl line 1")
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "r.parquet")
    assert read_parquet(tmp_path / "r.parquet")[0].value == lines[0].value


INSPECT = {
    "status": "success",
    "eval": {"task": "org/theory_of_mind", "model": "hf/org/fam-1b"},
    "results": {
        "completed_samples": 50,
        "scores": [{"name": "match", "metrics": {"accuracy": {"value": 0.4}, "stderr": {"value": 0.07}}}],
    },
}


def test_inspect_logs(tmp_path):
    with zipfile.ZipFile(tmp_path / "log.eval", "w") as archive:
        archive.writestr("header.json", json.dumps(INSPECT))
    for path in (tmp_path / "log.eval", write(tmp_path / "log.json", INSPECT)):
        (record,) = read_inspect(path)
        assert (record.model, record.task, record.metric) == ("hf/org/fam-1b", "theory_of_mind", "accuracy")
        assert (record.value, record.n, record.stderr) == (0.4, 50, 0.07)
    assert len(read_results([tmp_path])) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", "{", "{path} is not JSON: Input data was truncated."),
        (
            "r.json",
            {"other": 1},
            "{path} is JSON, but neither a result of lm-evaluation-harness (a table `results`), nor a log of Inspect "
            "(an object `eval`), nor the report of a hardlimit audit.",
        ),
        (
            "r.json",
            {"results": {"t": {"acc": 0.5}}, "config": {}},
            "{path} does not say which model it is about (no `pretrained=` in config.model_args and no model_name); "
            "add it, or give the results as CSV with columns model, task, metric, value.",
        ),
        (
            "r.json",
            {"results": {"t": {"alias": "t"}}, "model_name": "fam-1b"},
            "{path} holds no result: its table `results` has no metric with a number.",
        ),
        (
            "r.csv",
            "model,task,value\na,b,1\n",
            "{path} lacks the column metric; it has model, task, value. One line per result is needed, with columns "
            "model, task, metric, value.",
        ),
        (
            "r.csv",
            "model,task,metric,value,n\na-1b,t,acc,abc,1\n,t,acc,0.5,1\na-1b,t,acc,nan,1\na-1b,t,acc,,1\n"
            "a-1b,t,acc,0.5,1.5\na-1b,t,acc,0.5,1,9\na-1b,t,acc,0.1,1\n",
            "{path} has 6 malformed lines: line 2: value is 'abc', not a number; line 3: model is empty; line 4: value "
            "is nan; leave the line out where there is no result; line 5: value is empty; leave the line out where "
            "there is no result; line 6: n is 1.5, not a count; and 1 more.",
        ),
        (
            "r.csv",
            "model,task,metric,value,scale,better\na,t,acc,0.5,-3,\na,t,acc,0.5,1,up\n",
            "{path} has 2 malformed lines: line 2: scale is -3; an amount must be > 0; line 3: better is 'up'; it must "
            "be higher or lower.",
        ),
        (
            "r.csv",
            "model,task,metric,value\na,t,acc,0.5,9\n",
            "{path} has 1 malformed line: line 2: more cells than the head has columns.",
        ),
        ("r.csv", "model,task,metric,value\n", "{path} has a head but no line with a result."),
        (
            "r.jsonl",
            '{"model": 1\n[1]\n',
            "{path} has 2 malformed lines: line 1: not JSON (Input data was truncated); line 2: a JSON object was "
            "expected, not list.",
        ),
        (
            "r.json",
            {"status": "error", "eval": {"model": "m", "task": "t"}, "results": None},
            "{path} has no scores (status error); only finished evaluations count.",
        ),
        ("r.json", {"eval": {"task": "t"}}, "{path} is not a log of Inspect: it has no `eval.model`."),
        ("r.json", "[" * 100_000, "{path} is not JSON that can be read: it is nested too deeply."),
        (
            "r.json",
            '{"results": {"t": {"acc": NaN}}, "model_name": "fam-1b"}',
            "{path}: t/acc is nan; remove the entry or run that task again.",
        ),
        ("r.json", '{"a": NaN', "{path} is not JSON: JSON is malformed: invalid character (byte 6)."),
        (
            "r.csv",
            "model,task,metric,value,n,stderr\na,t,acc,0.5,0,\nb,t,acc,0.5,,-1\n",
            "{path} has 2 malformed lines: line 2: n is 0; leave it empty where it is not known; line 3: stderr is -1; "
            "a standard error must be >= 0.",
        ),
        (
            "r.txt",
            "x",
            "{path} is of no known form. Known: lm-evaluation-harness JSON, Inspect .eval or JSON logs, folders "
            "of hardlimit audits (report.json or answers.sqlite), or CSV, JSON lines and Parquet in long form.",
        ),
    ],
)
def test_malformed_files_are_refused_word_for_word(tmp_path, name, content, message):
    path = write(tmp_path / name, content)
    with pytest.raises(InvalidValueError) as raised:
        read_results([path])
    assert str(raised.value) == message.replace("{path}", str(path))


def test_a_result_that_is_no_number_is_refused(tmp_path):
    path = write(tmp_path / "r.json", '{"results": {"t": {"acc": 1e999}}, "model_name": "fam-1b"}')
    with pytest.raises(InvalidValueError):
        read_results([path])


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes(b"model,task\xff\xfe")
    with pytest.raises(InvalidValueError) as raised:
        read_csv(path)
    assert str(raised.value) == f"{path} is not a text file in UTF-8 (invalid start byte at byte 10)."
    broken = tmp_path / "r.parquet"
    broken.write_bytes(b"PAR1")
    with pytest.raises(InvalidValueError, match="is not a Parquet file that can be read"):
        read_parquet(broken)
    archive = tmp_path / "r.eval"
    archive.write_bytes(b"no zip")
    with pytest.raises(InvalidValueError) as zipped:
        read_inspect(archive)
    assert str(zipped.value) == f"{archive} is not a finished .eval archive of Inspect: File is not a zip file."


def test_paths(tmp_path):
    with pytest.raises(InsufficientDataError) as none:
        read_results([])
    assert str(none.value) == (
        "No results were given. Give files or folders: lm-evaluation-harness JSON, Inspect .eval or JSON logs, "
        "folders of hardlimit audits (report.json or answers.sqlite), or CSV, JSON lines and Parquet in long form."
    )
    with pytest.raises(InsufficientDataError) as empty:
        read_results([tmp_path])
    assert str(empty.value).startswith(f"The folder {tmp_path} holds no result file.")
    with pytest.raises(InvalidValueError) as missing:
        read_results([tmp_path / "no.csv"])
    assert str(missing.value) == f"There is no file or folder {tmp_path / 'no.csv'}."


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spreadsheets_separate_in_their_own_ways(tmp_path, separator):
    lines = ["model,task,metric,value", "fam-1b,t,acc,0.5"]
    path = write(tmp_path / "r.csv", "\n".join(lines).replace(",", separator))
    (record,) = read_csv(path)
    assert (record.model, record.value) == ("fam-1b", 0.5)
