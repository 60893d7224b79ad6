"""Several models in one audit: planted sizes are judged as planted, and an interrupted family goes on at its model."""

import json
from dataclasses import dataclass, field

import pytest
from msgspec import structs

from hardlimit.audit import plan as planning
from hardlimit.audit.document import AuditReport, FamilyReport, LimitReport, Member
from hardlimit.audit.family import compare
from hardlimit.cli import main
from hardlimit.core import Catalog, Control, Limit, Measurement, Resource, Tally, Verdict, loads
from hardlimit.core.quantity import HALLUCINATION_RATE
from hardlimit.exchange import read_results
from hardlimit.models import catalog
from hardlimit.models.toy import Perfect
from hardlimit.models.toy.base import prompt_of
from hardlimit.scaling import Curve, CurveTable, ScalePoint, assess
from hardlimit.stats import estimate
from hardlimit.store import ANSWERS, Store
from tests.report.sample import sample

SIZES = {"10m": 1e7, "40m": 4e7, "160m": 1.6e8, "640m": 6.4e8, "2.5b": 2.5e9, "10b": 1e10}
FALLING = {size: 0.5 * (count / 1e7) ** -0.3 for size, count in SIZES.items()}
"""A power law: half of the errors go with every factor of ten."""

FLAT = dict.fromkeys(SIZES, 0.3)
N = 2000


@dataclass
class Planted(Perfect):
    """A toy that is wrong as often as its size says, but for what it is told; its card has its size where it may."""

    size: str = field(default="10m", kw_only=True)
    tells: bool = field(default=True, kw_only=True)

    @property
    def name(self):
        return f"planted:{self.size}"

    def ability(self, case):
        return 1.0 if any(gold in prompt_of(case.ask.messages) for gold in case.gold) else self.accuracy

    @property
    def card(self):
        parameters = int(SIZES[self.size]) if self.tells else None
        return structs.replace(super().card, parameters=parameters)


class Family:
    """What the planted models are, and what was asked of which."""

    def __init__(self):
        self.errors, self.tells, self.asked, self.stop_at, self.broken = FALLING, True, [], None, ()

    def opened(self, rest, **_):
        if rest in SIZES:
            return Planted(accuracy=1 - self.errors[rest], size=rest, tells=self.tells)
        return Planted(accuracy=0.5, size=rest, tells=False)

    def audit(self, model, plan, store, progress, *, eyes=None):
        """Stand in for the real audit: errors as planted, counted in 2,000 answers."""
        if model.card.name == self.stop_at:
            raise KeyboardInterrupt
        self.asked.append(model.card.name)
        wrong = round(N * (1 - model.accuracy))
        facts = self.facts(model.size, wrong, model.card.name)
        limit = LimitReport(limit=Limit.HALLUCINATION, applies=True, headline=f"{wrong} wrong.", measurements=(facts,))
        whole = {"model": model.card, "limits": (limit,), "seed": plan.seed, "budget": str(plan.budget), "advice": ()}
        return structs.replace(sample(), **whole)

    def facts(self, size, wrong, name=""):
        """The main number of the limit, counted in 2,000 answers."""
        return Measurement(
            name="hallucination.facts",
            quantity=HALLUCINATION_RATE,
            probe="x",
            model=size,
            seed=0,
            estimate=estimate(wrong, N),
            tally=Tally(right=N - wrong, wrong=wrong),
            controls=(Control(name="x", expected="y", estimate=None, passed=name not in self.broken),),
        )


@pytest.fixture
def planted(monkeypatch):
    family = Family()
    monkeypatch.setattr(catalog, "CATALOG", Catalog("model", {"planted": family.opened}))
    monkeypatch.setattr(planning, "audit", family.audit)
    return family


def audited(out, sizes, *more):
    models = [f"planted:{size}" for size in sizes]
    return main(["audit", *models, "--limits", "hallucination", "--budget", "2k-tokens", "--out", str(out), *more])


def family_in(out):
    return loads((out / "report.json").read_bytes(), FamilyReport)


def test_planted_sizes_are_judged_as_planted(tmp_path, planted, capsys):
    assert audited(tmp_path, reversed(SIZES)) == 0
    report = family_in(tmp_path)
    assert [member.size for member in report.members] == sorted(SIZES.values())
    (limit,), (row,) = report.limits, report.compared
    assert limit.verdict is Verdict.HELPS, limit.because
    assert limit.because.startswith("hallucination.facts over 6 sizes of planted:*: ")
    assert row.main and [each.value for each in row.estimates] == [round(N * e) / N for e in FALLING.values()]
    own = loads((tmp_path / "planted-10m" / "report.json").read_bytes(), AuditReport)
    assert own.scaling == report.scaling
    (advised,) = (each for each in own.advice if each.resource is Resource.PARAMETERS)
    assert advised.verdict is Verdict.HELPS and advised.evidence == "measured"
    page, said = (tmp_path / "report.html").read_text(), capsys.readouterr().out
    assert '<a href="planted-10m/report.html#hallucination">' in page and "<script" not in page
    assert "What would more parameters do?" in said and "6 sizes of" in " ".join(said.split())


def test_two_sizes_make_no_curve_but_stand_side_by_side(tmp_path, planted, capsys):
    assert audited(tmp_path, ["10b", "10m"], "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["kind"] == "FamilyReport"
    why = "A curve over sizes needs 3 different ones, and 2 are known. Audit more sizes of the family."
    assert f"There will be no verdict on parameters. {why}" in said.err
    report = family_in(tmp_path)
    assert report.scaling is None
    assert (report.limits[0].verdict, report.limits[0].because) == (Verdict.UNDETERMINED, why)
    assert report.limits[0].headlines == ("1000 wrong.", "126 wrong.")
    assert loads((tmp_path / "planted-10m" / "report.json").read_bytes(), AuditReport).scaling is None


def test_a_number_whose_control_failed_is_shown_as_such_and_makes_no_curve(tmp_path, planted, capsys):
    planted.broken = ("planted:40m",)
    assert audited(tmp_path, ["10m", "40m", "160m"]) == 0
    report = family_in(tmp_path)
    assert report.limits[0].verdict is Verdict.UNDETERMINED
    assert report.limits[0].because == (
        "hallucination.facts has fewer than 3 sizes with a result: a control failed on planted:40m."
    )
    assert report.compared[0].broken == (False, True, False)
    assert (tmp_path / "report.html").read_text().count(">a control failed<") == 1
    assert capsys.readouterr().out.count("a control failed") == 2


def test_a_limit_without_a_curve_among_others_that_have_one_says_what_it_lacks():
    reports = []
    for size in SIZES:
        facts = Family().facts(size, N // 4)
        broken = structs.replace(
            facts, name="context.found", controls=(Control(name="x", expected="y", estimate=None, passed=False),)
        )
        reports.append((size, facts, broken))
    whole = [
        structs.replace(
            sample(),
            model=Planted(size=size).card,
            limits=(
                LimitReport(limit=Limit.HALLUCINATION, applies=True, headline="x", measurements=(facts,)),
                LimitReport(limit=Limit.CONTEXT, applies=True, headline="y", measurements=(broken,)),
                LimitReport(limit=Limit.REASONING, applies=False, headline="not measured"),
            ),
        )
        for size, facts, broken in reports
    ]
    points = tuple(ScalePoint(scale=count, value=0.25, n=N) for count in SIZES.values())
    curve = Curve(task="hallucination.facts", metric="x", points=points, better="lower", best=0.0)
    members = [
        Member(card=report.model, folder=size, size=SIZES[size], spent=report.spent)
        for report, size in zip(whole, SIZES, strict=True)
    ]
    told = compare(members, whole, assess(CurveTable(curves=(curve,)))).limits
    assert told[0].verdict is Verdict.CANNOT_PROGRESS
    assert told[1].because.startswith(
        "context.found has fewer than 3 sizes with a result: a control failed on planted:10m"
    )
    assert told[2].because == "Nothing was measured on these models that has a best possible value."
    assert {each.verdict for each in told[1:]} == {Verdict.UNDETERMINED}


def test_a_size_that_nobody_tells_is_asked_for_and_then_costs_nothing(tmp_path, planted, capsys):
    planted.tells = False
    names = ["ann", "10m", "160m"]
    assert audited(tmp_path, names) == 0
    ask = "The number of parameters of planted:ann is not known: say it with --scale planted:ann=7e9"
    assert ask in " ".join(capsys.readouterr().err.split())
    report = family_in(tmp_path)
    assert [member.size for member in report.members] == [1e7, 1.6e8, None]  # The names tell the other two.
    assert ask in report.limits[0].because and any(ask in note for note in report.notes)
    assert audited(tmp_path, names, "--scale", "planted:ann=2.5b") == 0
    assert planted.asked == ["planted:ann", "planted:10m", "planted:160m"]
    report = family_in(tmp_path)
    assert [member.size for member in report.members] == [1e7, 1.6e8, 2.5e9]
    assert report.scaling is not None and report.scaling.scales == (1e7, 1.6e8, 2.5e9)


def test_an_interrupted_family_goes_on_at_its_model(tmp_path, planted, capsys):
    planted.stop_at = "planted:160m"
    assert audited(tmp_path, ["10m", "160m", "10b"]) == 130
    assert planted.asked == ["planted:10m"] and not (tmp_path / "report.json").exists()
    planted.stop_at = None
    capsys.readouterr()
    assert audited(tmp_path, ["10m", "160m", "10b"]) == 0
    assert planted.asked == ["planted:10m", "planted:160m", "planted:10b"]
    assert "Model 1 of 3, planted:10m: audited before" in capsys.readouterr().err
    before = (tmp_path / "report.json").read_bytes()
    assert audited(tmp_path, ["10m", "160m", "10b"]) == 0
    assert len(planted.asked) == 3 and (tmp_path / "report.json").read_bytes() == before
    with Store.open(tmp_path / "planted-10b" / ANSWERS) as store:  # A run that was cut off may have left anything.
        last = store.runs()[-1]
        store.begin(Planted(size="10b").card, seed=0, budget="", started=last.started, plan=last.plan)
    assert audited(tmp_path, ["10m", "160m", "10b"]) == 0
    assert planted.asked[3:] == ["planted:10b"]
    planted.asked.pop()
    planted.errors = FLAT  # Another model under an old name, and another plan, are audited anew.
    assert audited(tmp_path, ["10m", "160m", "10b"]) == 0
    assert len(planted.asked) == 6
    assert audited(tmp_path, ["10m", "160m", "10b"], "--seed", "1") == 0
    assert len(planted.asked) == 9
    assert len(read_results([tmp_path])) == 3  # The family's own report is passed over.
    page = (tmp_path / "report.html").read_bytes()
    (tmp_path / "report.html").unlink()
    assert main(["report", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_bytes() == page
    assert main(["report", str(tmp_path), "--parquet", str(tmp_path / "x.parquet")]) == 2


@pytest.mark.parametrize(
    ("models", "more", "says"),
    [
        (["10m", "10m"], [], "A model is named twice: planted:10m, planted:10m. Name each once."),
        (["10m", "40m"], ["--scale", "planted:1m=1e6"], "A size was given for 'planted:1m', which is not audited."),
        (["10m", "40m"], ["--scale", "planted:10m=-1"], "The size of 'planted:10m' must be > 0, got -1."),
        (["10m", "40m"], ["--scale", "planted:10m"], "--scale needs NAME=VALUE, got 'planted:10m'."),
        (["10m"], ["--scale", "planted:10m=1e7"], "--scale NAME=PARAMETERS is for several models"),
    ],
)
def test_what_makes_no_family(tmp_path, planted, capsys, models, more, says):
    assert audited(tmp_path, models, *more) == 2
    assert capsys.readouterr().err.startswith(f"hardlimit: {says}")
    assert planted.asked == [] and not list(tmp_path.iterdir())
