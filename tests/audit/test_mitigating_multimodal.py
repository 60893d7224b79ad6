"""Mitigations of the language prior beside a toy whose prior is planted: the gain is found, and none where none is."""

import pytest

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport
from hardlimit.audit.mitigating import advice, multimodal
from hardlimit.core import (
    Answered,
    Estimate,
    Generated,
    Grade,
    Interval,
    Limit,
    Resource,
    ResourceVerdict,
    Silent,
    Standing,
    Verdict,
)
from hardlimit.mitigations.pictures import Weights
from hardlimit.models import Generates, Sees
from hardlimit.models.toy import Sighted
from hardlimit.models.toy.beholding import Beholder
from hardlimit.probes.multimodal import UsualColour
from hardlimit.probes.multimodal.familiar import THINGS
from hardlimit.probes.multimodal.flips import flip_rate
from hardlimit.probes.multimodal.measure import Origin
from hardlimit.stats import mcnemar_p
from hardlimit.store import Store

PRIORS = dict(zip(THINGS, (0.5, 0.6, 0.7, 0.8, 0.95, 0.97, 0.98, 0.99), strict=True))
SEED, PAIRS = 7, 48
NOTHING = LimitReport(
    limit=Limit.MULTIMODAL,
    applies=True,
    headline="x",
    verdicts=(ResourceVerdict(resource=Resource.DATA, verdict=Verdict.HELPS, because="x", basis="both"),),
    undecided=("something else",),
)


@pytest.fixture(scope="module")
def cases():
    """The labelled and the measured cases, as they are asked."""
    starts = ((SEED + 320, 2 * multimodal.LABELLED_PAIRS), (SEED + 321, 2 * PAIRS))
    return [case for seed, n in starts for case in UsualColour().cases(seed=seed, n=n)]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr(multimodal, "PAIRS", PAIRS)
    with Store.open(tmp_path / "answers.sqlite") as store:
        yield lambda model, budget=None: Desk(model, store, Meter(budget or Budget()), Silent())


def rows(report):
    return {(row.name.partition(" (")[0], row.outcome): row for row in report.mitigations}


def test_the_planted_improvement_is_found_and_named(desk, cases):
    toy = Beholder(cases, PRIORS, ratio=27.0, told=5.0)
    report = multimodal.mitigated(desk(toy), SEED, NOTHING)
    found = rows(report)
    against, usual = "right answers against what is usual", "right answers where all is as usual"
    contrast = found["contrast with no picture", against]
    # Half of the things have odds beyond 27 to 1; all of them lie below 27² and within 27 / 0.03.
    assert (contrast.before.value, contrast.after.value, contrast.verdict) == (0.5, 1.0, Verdict.HELPS)
    assert (contrast.calls, contrast.before.n) == ((1.0, 2.0), PAIRS)
    assert contrast.p_value == pytest.approx(8 * mcnemar_p(0, PAIRS // 2)), "Holm over eight rows"
    assert contrast.tokens[1] == pytest.approx(2 * contrast.tokens[0], rel=0.2)
    assert found["contrast with no picture", usual].difference.value == 0.0
    # A description is worth 5 to 1 here, beside the picture: 135 to 1 reaches three of the four; alone it is nothing.
    described = found["a description first, then picture and description", against]
    assert (described.after.value, described.verdict) == (0.75, Verdict.HELPS)
    alone = found["a description first, then the description alone", against]
    assert alone.after.value == 0.25 and alone.verdict is Verdict.HURTS
    assert found["a reminder to look at the picture", against].difference.value == 0.0
    assert len(report.mitigations) == 8 and report.undecided == ("something else",)
    (row,) = advice([report])
    assert row.mitigation.startswith("contrast with no picture (α = 1, cut-off 0.03): +50 points of right answers")


def test_nothing_helps_where_the_eye_is_wrong(desk, cases):
    toy = Beholder(cases, PRIORS, ratio=1e4, acuity=0.7, told=1e4)
    report = multimodal.mitigated(desk(toy), SEED, NOTHING)
    assert len(report.mitigations) == 8
    for row in report.mitigations:
        assert row.before.value < 0.9
        assert row.difference.value == 0.0
        assert row.verdict in (Verdict.CANNOT_PROGRESS, Verdict.UNDETERMINED)
    assert advice([report])[0].mitigation.startswith("None of the 4 mitigations")


def test_strength_is_chosen_on_pictures_apart(desk, cases):
    """Of the labelled pictures nothing is known here, so that nothing speaks for a contrast, though it would help."""
    toy = Beholder(cases[2 * multimodal.LABELLED_PAIRS :], PRIORS, ratio=27.0)
    report = multimodal.mitigated(desk(toy), SEED, NOTHING)
    assert report.mitigations[0].name == "contrast with no picture (α = 0, cut-off 0.1)"
    assert report.mitigations[0].difference.value == 0.0


class Unweighed:
    """A model with eyes that tells no likelihoods, as a server does."""

    def __init__(self, toy):
        self._toy, self.card, self.count_tokens = toy, toy.card, toy.count_tokens
        self.see, self.generate = toy.see, toy.generate


def test_a_model_that_cannot_weigh_is_told_so_and_measured_with_the_rest(desk, cases):
    model = Unweighed(Beholder(cases, PRIORS, ratio=27.0))
    assert isinstance(model, Sees) and isinstance(model, Generates)
    report = multimodal.mitigated(desk(model), SEED, NOTHING)
    assert {row.name for row in report.mitigations} == {
        "a description first, then picture and description",
        "a description first, then the description alone",
        "a reminder to look at the picture",
    }
    assert report.undecided[0] == "something else"
    assert report.undecided[1].startswith("Contrastive decoding was not measured: it takes the likelihood of given")
    assert "which toy:beholder does not tell" in report.undecided[1]


def test_a_spent_budget_says_so_and_a_toy_of_known_prompts_is_left_alone(desk, cases):
    report = multimodal.mitigated(desk(Beholder(cases, PRIORS), Budget(tokens=60)), SEED, NOTHING)
    assert report.mitigations == () and report.undecided == ("something else", multimodal.TOO_FEW)
    assert multimodal.mitigated(desk(Sighted(cases)), SEED, NOTHING) is NOTHING


def known(member, prior, evidence, n=20):
    """Cases of two options in which the second is shown: prior and evidence in nats; member 0 shows the first."""
    case = UsualColour(thing="lemon", pixels=32).cases(seed=0, n=2)[member]
    options = (str(case.factors["usual"]), case.gold[0] if member else case.lures[0])
    sign = 1 if member else -1
    weights = Weights(options=options, seen=(prior, sign * evidence), instead=(prior, 0.0))
    reply = Generated(text="", finish="stop")
    return [(weights, Answered(case=case, reply=reply, grade=Grade.WRONG))] * n


def test_strength_is_the_least_that_does_most_on_labelled_cases():
    as_usual = known(0, 2.0, 1.0)
    assert multimodal.chosen([*known(1, 0.5, 1.0), *as_usual]) == (0.0, 0.1, 40)
    # Prior 1.4, evidence 1: α must exceed 0.4, and exp(1 − 1.4) = 0.67 is within every cut-off.
    assert multimodal.chosen([*known(1, 1.4, 1.0), *as_usual]) == (0.5, 0.1, 40)
    # Prior 4, evidence 1: α > 3, and exp(−3) = 0.0498 is within a cut-off of 0.03 and not of 0.1.
    assert multimodal.chosen([*known(1, 4.0, 1.0), *as_usual]) == (4.0, 0.03, 40)
    # Whatever is lost where all is as usual counts alike, also where there are fewer such cases: here α > 1 loses them.
    lost = known(0, 2.0, -1.0)
    assert multimodal.chosen([*known(1, 2.4, 1.0, n=30), *lost]).alpha == 0.0
    assert multimodal.chosen([*known(1, 1.4, 1.0, n=15), *as_usual]) is None
    assert multimodal.chosen(known(1, 1.4, 1.0)) is None


def flips(toy, cases, priors):
    origin = Origin(probe="x", model="x", seed=0)
    replies = dict(toy.see([case.ask for case in cases]))
    probe = UsualColour()
    graded = []
    for place, case in enumerate(cases):
        grade, answer = probe.grade(case, replies[place])
        graded.append(Answered(case=case, reply=replies[place], grade=grade, answer=answer))
    estimates = {
        name: Estimate(value=value, interval=Interval(low=value, high=value, level=0.95, method="x"), n=9)
        for name, value in priors.items()
    }
    return graded, flip_rate(graded, estimates, origin)


@pytest.mark.parametrize(
    ("honest", "alpha", "standing"),
    [(True, 0.5, Standing.AT_BOUND), (True, 3.0, Standing.CLEAR_OF_BOUND), (False, 0.5, Standing.BEYOND_BOUND)],
)
def test_evidence_under_contrast_is_set_beside_the_prior_that_it_overturned(cases, honest, alpha, standing):
    measured = cases[2 * multimodal.LABELLED_PAIRS :]
    # Someone who follows every picture, whatever the prior, and is said to have been contrasted with a small α.
    priors = PRIORS if honest else {**PRIORS, "lemon": 0.999}
    after, _ = flips(Beholder(cases, PRIORS, ratio=1e6), measured, priors)
    _, before = flips(Beholder(cases, PRIORS, ratio=27.0), measured, priors)
    origin = Origin(probe="x", model="x", seed=0)
    (finding,) = multimodal.raised_evidence([before], after, multimodal.Strength(alpha, 0.03, 64), origin)
    worth = 3 * float(before.parameters["ratio"])
    odds = 3 * priors["lemon"] / (1 - priors["lemon"])
    assert finding.claim.value == pytest.approx(odds)
    assert finding.measurement.estimate.value == pytest.approx(worth ** (1 + alpha))
    assert finding.measurement.parameters["alpha"] == alpha
    assert finding.standing is standing
    assert "of the lemon against odds of" in finding.says


def test_no_finding_without_a_turning_point_or_a_followed_picture(cases):
    after, followed = flips(Beholder(cases, PRIORS, ratio=1e6), cases[64:], PRIORS)
    never, _ = flips(Beholder(cases, dict.fromkeys(THINGS, 0.99), ratio=1.0), cases[64:], PRIORS)
    _, before = flips(Beholder(cases, PRIORS, ratio=27.0), cases[64:], PRIORS)
    origin, strength = Origin(probe="x", model="x", seed=0), multimodal.Strength(1.0, 0.03, 64)
    assert multimodal.raised_evidence([followed], after, strength, origin) == []
    assert multimodal.raised_evidence([], after, strength, origin) == []
    assert multimodal.raised_evidence([before], never, strength, origin) == []
