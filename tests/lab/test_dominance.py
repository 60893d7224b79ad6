"""Dominance: scenes against what they claim, readings against definitions, conclusions in each direction.

Statistical checks allow 5 standard errors; the largest, of 60 shares, has a false-alarm rate below 4·10⁻⁵.
"""

import math

import numpy as np
import pytest
import torch

from hardlimit.core import Resource, Standing, Verdict
from hardlimit.lab.bench import Bench
from hardlimit.lab.experiment import Scale, mean
from hardlimit.lab.experiments import turning
from hardlimit.lab.experiments.dominance import Dominance
from hardlimit.lab.tasks import generator
from hardlimit.lab.transformer import Architecture, Family
from hardlimit.lab.worlds import channels
from hardlimit.lab.worlds.channels import RATIOS, Scenes
from hardlimit.theory import multimodal as theory

pytestmark = pytest.mark.local

SHAPES = 6
WORDS, LEVELS = SHAPES * 2, len(RATIOS)


def rng(seed=0):
    return generator(seed, 1)


def decoded(tokens):
    """The picture {shape: (level, colour)}, the caption {shape: colour or 2 for silence} and the shape asked for."""
    picture = {t // 2 // LEVELS: (t // 2 % LEVELS, t % 2) for t in tokens[:4]}
    caption = {(t - 120) // 3: (t - 120) % 3 for t in tokens[4:8]}
    assert len(picture) == len(caption) == 4 and set(picture) == set(caption)
    assert all(120 <= t < 138 for t in tokens[4:8]) and 138 <= tokens[8] < 144
    return picture, caption, tokens[8] - 138


def near(share, wanted, n):
    return abs(share - wanted) <= 5 * math.sqrt(max(wanted * (1 - wanted), 1 / n) / n)


def family(task, seeds=(0, 1), width=16):
    shape = Architecture(vocabulary=task.vocabulary, layers=1, width=width, positions="none", hidden=2, tied=False)
    return Family(shape, seeds)


def test_a_scene_is_read_as_it_was_drawn():
    case = Scenes(0.8).cases(rng(), 50)
    orders = set()
    for i, tokens in enumerate(case.tokens.tolist()):
        picture, caption, asked = decoded(tokens)
        assert picture[asked] == (case.level[i], case.shown[i]) and caption[asked] == case.said[i]
        assert case.answers[i] == 144 + case.truth[i]
        orders.add((list(picture).index(asked), list(caption).index(asked)))
    assert len(orders) > 8  # The place tells nothing.


def test_chances_are_those_that_the_likelihood_ratios_and_the_prior_say():
    n = 40_000
    case = Scenes(0.8).cases(rng(1), n)
    seen, said = case.shown == case.truth, case.said == case.truth
    assert near(case.truth.mean(), 0.5, n) and near(said.mean(), 0.8, n)
    for level, ratio in enumerate(RATIOS):
        at = case.level == level
        assert near(at.mean(), 1 / LEVELS, n)
        assert near(seen[at].mean(), ratio / (1 + ratio), at.sum())
        assert near(said[at & seen].mean(), 0.8, (at & seen).sum())
    both, caption, picture = channels.bayes_right(0.8)
    strong = np.array(RATIOS)[case.level] >= theory.ratio_needed(0.8)
    assert near(np.where(strong, seen, said).mean(), both, n)
    assert near(seen.mean(), picture, n) and caption == 0.8


def test_a_caption_can_be_told_what_to_say_of_the_one_object():
    n = 4000
    for told, holds in {
        "as seen": lambda c: c.said == c.shown,
        "not as seen": lambda c: c.said != c.shown,
        "true": lambda c: c.said == c.truth,
        "false": lambda c: c.said != c.truth,
    }.items():
        case = Scenes(0.9).cases(rng(), n, level=LEVELS - 1, caption=told)
        assert holds(case).all() and set(case.level.tolist()) == {LEVELS - 1}
    coin = Scenes(0.9).cases(rng(), n, level=LEVELS - 1, caption="coin")
    assert near((coin.said == coin.truth).mean(), 0.5, n)
    others = [
        caption[shape] == picture[shape][1]
        for picture, caption, asked in map(decoded, coin.tokens.tolist())
        for shape in picture
        if shape != asked
    ]
    assert near(np.mean(others), 0.9 * 512 / 513 + 0.1 / 513, len(others))


def test_twins_differ_in_picture_and_answer_alone():
    batch = Scenes(0.9, "counterfactual").draw(rng(), 21, 0.0)
    assert len(batch.tokens) == len(batch.answers) == 21
    for i in range(0, 20, 2):
        (one, said, asked), (other, again, same) = (decoded(batch.tokens[j].tolist()) for j in (i, i + 1))
        assert said == again and asked == same
        assert other == {shape: (level, 1 - colour) for shape, (level, colour) in one.items()}
        assert {batch.answers[i, 0], batch.answers[i + 1, 0]} == {144, 145}
    assert (batch.rows == 8).all()


def test_dropped_captions_are_silent_in_every_other_sequence():
    plain = Scenes(0.9).draw(rng(), 10, 0.0)
    batch = Scenes(0.9, "text dropped").draw(rng(), 10, 0.0)
    assert (batch.answers == plain.answers).all() and (batch.tokens[1::2] == plain.tokens[1::2]).all()
    for one, other in zip(batch.tokens[::2].tolist(), plain.tokens[::2].tolist(), strict=True):
        (picture, caption, asked), (seen, said, wanted) = decoded(one), decoded(other)
        assert set(caption.values()) == {2} and (picture, list(caption), asked) == (seen, list(said), wanted)


def test_a_channel_is_turned_into_its_opposite_alone():
    task = Scenes(0.7)
    tokens = task.cases(rng(), 30).tokens
    for one, p, c in zip(tokens, task.swapped(tokens, "picture"), task.swapped(tokens, "caption"), strict=True):
        (picture, caption, asked), (other, kept, same), (seen, words, again) = map(decoded, (one, p, c))
        assert kept == caption and seen == picture and asked == same == again
        assert other == {shape: (level, 1 - colour) for shape, (level, colour) in picture.items()}
        assert words == {shape: 1 - colour for shape, colour in caption.items()}


def test_gradients_of_inputs_are_those_of_embeddings_where_each_token_comes_once():
    task = Scenes(0.8)
    model = family(task)
    picture, caption = channels.channel_gradients(model, [task, task], 3, 5)
    squares = np.zeros((2, 3, 2))
    for member, seed in enumerate(model.seeds):
        drawn = task.draw(generator(seed, channels.TESTING, 5), 3, 1.0)
        for i in range(3):
            model.weights.grad = None
            tokens = torch.from_numpy(np.stack([drawn.tokens[i : i + 1]] * 2))
            logits = model(tokens, torch.full((2, 1, 1), 8))[member, 0, 0]
            torch.autograd.backward(-logits.log_softmax(-1)[drawn.answers[i, 0]])
            table = model.weights.grad[member, : task.vocabulary * 16].reshape(task.vocabulary, 16)
            for channel, part in enumerate((drawn.tokens[i, :4], drawn.tokens[i, 4:8])):
                squares[member, i, channel] = float(table[part].square().sum())
    assert picture == pytest.approx(np.sqrt(squares[..., 0].mean(1)), rel=1e-4)
    assert caption == pytest.approx(np.sqrt(squares[..., 1].mean(1)), rel=1e-4)


def test_a_read_moves_as_attention_and_values_say_and_no_further_than_its_share():
    task = Scenes(0.8)
    model = family(task)
    mass, moved = channels.replace_picture(model, [task, task], 6, 7)
    assert mass.shape == moved.shape == (2, 6, 2) and (moved > 0).all() and (moved <= mass).all()
    tokens = task.cases(generator(1, channels.TESTING, 7), 6).tokens
    other = np.concatenate([tokens[[5, 0, 1, 2, 3, 4], :4], tokens[:, 4:]], axis=1)
    weights = {name: part[1].detach().double().numpy() for name, part in model.matrices().items()}
    for case in range(6):
        for head in (slice(8), slice(8, 16)):
            reads, shares, longest = [], [], []
            for these in (tokens[case], other[case]):
                x = weights["embedding"][these] * 4
                x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
                q, k, v = (part[:, head] for part in np.split(x @ weights["0.qkv"], 3, axis=1))
                chance = np.exp(k @ q[8] / math.sqrt(8))
                chance /= chance.sum()
                reads.append(chance @ v)
                shares.append(chance[:4].sum())
                longest.append(np.linalg.norm(v, axis=1).max())
            at = 1, case, int(head.stop > 8)
            assert mass[at] == pytest.approx(max(shares), rel=1e-9)
            assert moved[at] == pytest.approx(np.linalg.norm(reads[0] - reads[1]) / (2 * max(longest)), rel=1e-9)


def bayesian(prior):
    """Log-odds by Bayes' rule, read off the tokens."""

    def leaning(model, tasks, tokens):
        out = []
        for own in tokens:
            odds = []
            for picture, caption, asked in map(decoded, own.tolist()):
                level, colour = picture[asked]
                odds.append((2 * colour - 1) * math.log(RATIOS[level]))
                odds[-1] += (2 * caption[asked] - 1) * math.log(prior / (1 - prior))
            out.append(odds)
        return np.array(out)

    return leaning


def test_readings_of_a_bayesian_are_what_theory_says(monkeypatch):
    prior, n = 0.9, 400
    task = Scenes(prior)
    model = family(task)
    monkeypatch.setattr(channels, "leaning", bayesian(prior))
    rows = channels.measured_channels(model, [task, task], n)
    for row in rows:
        share = row["right"] / row["n"] if "right" in row else None
        match row["part"]:
            case "flip":
                assert share == (row["ratio"] > 9) and row["n"] == n
                assert row["chance"] == pytest.approx(theory.atypical_posterior(prior, row["ratio"]))
            case "accuracy":
                seen = np.mean([r / (1 + r) for r in RATIOS if r > 9])
                wins = sum(r > 9 for r in RATIOS) / LEVELS
                assert near(share, wins * seen + (1 - wins) * (row["caption"] == "true"), row["n"])
            case "blank":
                assert near(share, prior, row["n"])
                assert row["bits"] == pytest.approx(theory.caption_information(0.5, 0.9, 0.1), abs=0.15)
            case "swap":
                wins = sum(r > 9 for r in RATIOS) / LEVELS
                assert near(share, wins if row["channel"] == "picture" else 1 - wins, row["n"])
            case "attention":
                assert 0 < row["tight_move"] <= row["tight_mass"] < 1 and 0 < row["mass"] < 1
    assert len(rows) == 2 * (LEVELS + 2 + 1 + 2 + 1)
    turn = turning.turning([row for row in rows if row["part"] == "flip"])
    assert turn.value == pytest.approx(math.sqrt(128)) and turning.beside(turn, 9.0) is Standing.AT_BOUND
    flips = [row | {"prior": prior} for row in rows if row["part"] == "flip"]
    assert turning.posterior_gap(flips) < 1e-9
    look = channels.reading(model, [task, task], n, 3)
    assert look[:, 0].tolist() == [1.0, 1.0] and look[:, 1].tolist() == [1.0, 1.0] and (look[:, 2:] > 0).all()


def test_the_tightest_read_is_one_that_looks(monkeypatch):
    task = Scenes(0.8)
    model = family(task, seeds=(0,))
    mass, moved = np.array([[[1e-9, 0.5], [0.4, 0.2]]]), np.array([[[3e-9, 0.3], [0.3, 0.1]]])
    monkeypatch.setattr(channels, "replace_picture", lambda *_: channels.Replaced(mass, moved))
    row = channels.measured_channels(model, [task], 4)[-1]
    assert (row["tight_mass"], row["tight_move"]) == (0.4, 0.3) and row["mass"] == pytest.approx(mass.mean())


def test_strengths_are_correlations_of_tokens_and_answer():
    """The squared norm of 120 estimated correlations is too large by 4/n; n makes that 3 % of the smaller one."""
    prior, n = 0.8, 60_000
    case = Scenes(prior).cases(rng(2), n)
    sign = 2.0 * case.truth - 1
    for part, wanted in zip((case.tokens[:, :4], case.tokens[:, 4:8] - 120), turning.strengths(prior), strict=True):
        correlation = np.zeros(120)
        for place in range(4):
            correlation += np.bincount(part[:, place], weights=sign, minlength=120)[:120] / n
        assert np.linalg.norm(correlation) == pytest.approx(wanted, rel=0.05)


def test_the_divergence_is_the_smaller_of_both_directions():
    p, q = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    both = (p * np.log(p / q)).sum(), (q * np.log(q / p)).sum()
    assert turning.divergence(0.9) == pytest.approx(min(both)) and both[0] != pytest.approx(both[1])


def rows_of(share, n=100):
    """Flip rows of two seeds from a share by ratio."""
    return [{"seed": s, "ratio": r, "right": round(n * share(r)), "n": n} for s in (0, 1) for r in RATIOS]


def test_turning_points_stand_beside_floors_in_each_direction():
    never, always = turning.turning(rows_of(lambda r: 0.2)), turning.turning(rows_of(lambda r: 0.8))
    assert never.value == pytest.approx(512) and always.value == pytest.approx(1)
    turn = turning.turning(rows_of(lambda r: r >= 16))
    assert turn.value == pytest.approx(math.sqrt(128))
    standings = {floor: turning.beside(turn, floor) for floor in (1.0, 7.5, 7.6, 16.9, 17.0, 99.0)}
    assert list(standings.values()) == [
        Standing.CLEAR_OF_BOUND,
        Standing.CLEAR_OF_BOUND,
        Standing.AT_BOUND,
        Standing.AT_BOUND,
        Standing.BEYOND_BOUND,
        Standing.BEYOND_BOUND,
    ]
    assert turning.beside(turning.geometric([1.0, 500.0]), 20.0) is Standing.UNDETERMINED


def test_a_verdict_needs_an_interval_without_zero():
    def verdict(numbers, **how):
        return turning.judged(Resource.DATA, mean(numbers), "", **how).verdict

    assert verdict([0.1, 0.11]) is Verdict.HELPS and verdict([-0.1, -0.11]) is Verdict.HURTS
    assert verdict([0.1, -0.11]) is Verdict.UNDETERMINED
    assert verdict([0.001, 0.002], still=True) is Verdict.CANNOT_PROGRESS
    assert verdict([0.3, 0.31], still=True) is Verdict.HELPS
    assert verdict([0.3, -0.31], still=True) is Verdict.UNDETERMINED


def made_rows(*, turns, times, false=0.3, move=0.2, bits=0.531, gradient=1.0):
    """Rows of a full run whose models turn and learn where told: `turns` and `times` by model or prior."""
    rows = []
    settings = [(turning.NATURAL, p) for p in (0.5, 0.7, 0.9, 0.97, 0.99)]
    settings += [(m, 0.99) for m in (turning.DROPPED, turning.TWINS, turning.LONG, turning.WIDE)]
    for model, prior in settings:
        key = prior if model == turning.NATURAL else model
        for seed in (0, 1, 2):
            own = {"model": model, "prior": prior, "seed": seed}
            for ratio in RATIOS:
                hit = 100 if ratio > turns[key] else 0
                rows.append(own | {"part": "flip", "ratio": ratio, "right": hit, "n": 100, "chance": hit / 100})
            right = {"true": 99 - 10 * (model == turning.TWINS), "false": round(100 * false) if key == 0.99 else 89}
            for caption, count in right.items():
                rows.append(own | {"part": "accuracy", "caption": caption, "right": count - seed % 2, "n": 100})
            rows.append(own | {"part": "blank", "right": 90, "n": 100, "bits": bits + 0.001 * seed})
            for channel in channels.CHANNELS:
                rows.append(own | {"part": "swap", "channel": channel, "right": 30, "n": 100})
            rows.append(own | {"part": "attention", "mass": 0.4, "tight_mass": 0.3, "tight_move": move - 0.05 * seed})
            picture, caption = times.get(key, (100.0, 100.0))
            for step in range(0, 1001, 10):
                follows = {
                    name: 0.5 + 0.25 * min(step / (at * (1 + 0.001 * seed)), 2.0)
                    for name, at in (("picture", picture), ("caption", caption))
                }
                slopes = {
                    "gradient_picture": gradient if key == 0.99 and 20 <= step <= 100 else 1.0,
                    "gradient_caption": 1.0,
                }
                rows.append(own | {"part": "course", "step": max(step, 1), **follows, **slopes})
    return rows


BAYES = {0.5: 1, 0.7: 2, 0.9: 8, 0.97: 32, 0.99: 64, "text dropped": 64, "counterfactual": 1}
BAYES |= {turning.LONG: 64, turning.WIDE: 64}


def concluded(**how):
    conclusion = Dominance().conclude(made_rows(**how), Scale(seeds=3))
    found = {finding.measurement.name.removeprefix("lab.dominance."): finding for finding in conclusion.findings}
    assert len(found) == len(conclusion.findings) == 4 + 4 + 1 + 4 + 1 + 2
    return conclusion, found


def test_models_that_follow_bayes_and_linear_modes_agree_throughout():
    half = {p: [float(theory.half_time(s, 0.01)) for s in turning.strengths(p)] for p in (0.7, 0.99)}
    unit = 200 / half[0.7][0]
    times = {p: (unit * a, unit * b) for p, (a, b) in half.items()} | {0.5: (200.0, 1e9)}
    conclusion, found = concluded(turns=BAYES, times=times)
    standings = {name: finding.standing for name, finding in found.items()}
    assert {standings[name] for name in found if name.startswith("wins")} == {Standing.AT_BOUND}
    assert {standings[name] for name in found if name.startswith("learning")} == {Standing.AGREES}
    assert standings["bits"] is Standing.AGREES
    assert standings["influence"] is standings["shift_natural"] is Standing.CLEAR_OF_BOUND
    assert found["wins: p = 0.99, counterfactual"].claim.value == pytest.approx(1.0)
    assert found["wins: p = 0.97"].claim.value == pytest.approx(32.33, abs=0.01)
    kinds = [(v.resource, v.verdict) for v in conclusion.verdicts]
    assert kinds == [
        (Resource.DATA, Verdict.HELPS),
        (Resource.DATA, Verdict.HELPS),
        (Resource.RESOLUTION, Verdict.HELPS),
        (Resource.DATA, Verdict.UNDETERMINED),
        (Resource.PARAMETERS, Verdict.CANNOT_PROGRESS),
    ]
    assert "+59.0 points" in conclusion.headline and "-10.0 points" in conclusion.headline
    drop = 0.49 * (0.99 - 0.30)
    assert found["shift_natural"].measurement.estimate.value == pytest.approx(drop, abs=1e-9)
    assert found["shift_natural"].claim.value == pytest.approx(math.sqrt(turning.divergence(0.99) / 2))


def test_models_that_starve_and_overreach_are_told_apart():
    turns = BAYES | {0.99: 600, 0.97: 8, turning.WIDE: 4, turning.LONG: 128}
    times = {0.5: (50.0, 1e9), 0.7: (100.0, 100.0), 0.99: (1e9, 20.0)}
    conclusion, found = concluded(turns=turns, times=times, move=0.31, bits=0.4, gradient=0.25)
    assert found["wins: p = 0.99"].standing is Standing.CLEAR_OF_BOUND
    assert "more than the prior accounts for" in found["wins: p = 0.99"].says
    assert found["wins: p = 0.97"].standing is Standing.BEYOND_BOUND
    assert found["influence"].standing is Standing.BEYOND_BOUND
    assert found["bits"].standing is Standing.DISAGREES
    learning = [f for name, f in found.items() if name.startswith("learning")]
    assert {f.standing for f in learning} == {Standing.DISAGREES}
    assert learning[3].measurement.estimate.value == pytest.approx(20.0, rel=0.01)
    assert "3 of 3 never were" in learning[3].says and "0.25 (0.25 to 0.25) times the gradient" in learning[3].says
    parts = {m.name.removeprefix("lab.dominance."): m for m in conclusion.measurements}
    told = parts["gradients"].parameters
    assert told["early.p = 0.99"] == pytest.approx(0.8) and told["late.p = 0.99"] == pytest.approx(0.5)
    shares = {(p.at["input"], p.at["prior"]): p.estimate.value for p in parts["ablation"].points}
    right = np.array([0.99, 0.30]) - 0.01 / 3  # One of three seeds has one answer less right.
    assert shares["both", 0.99] == pytest.approx(right @ [0.99, 0.01])
    assert shares["coin captions", 0.99] == pytest.approx(right.mean()) and shares["blank picture", 0.99] == 0.9
    assert parts["flips"].parameters["chance_gap.p = 0.97"] == pytest.approx(
        theory.atypical_posterior(0.03, 1 / 16), abs=1e-4
    )
    by_resource = [v.verdict for v in conclusion.verdicts]
    assert by_resource == [*[Verdict.HELPS] * 2, Verdict.UNDETERMINED, *[Verdict.HELPS] * 2]
    late = concluded(turns=BAYES, times={0.5: (50.0, 1e9), 0.7: (100.0, 100.0), 0.99: (1e9, 500.0)})[1]
    assert late["learning: picture 0.99 over caption 0.99"].standing is Standing.UNDETERMINED


def test_a_smoke_run_trains_looks_and_concludes():
    scale, experiment = Scale(extent="smoke"), Dominance()
    rows = [row for cell in experiment.cells(scale) for row in experiment.measure(cell, scale, Bench())]
    looks = [row["step"] for row in rows if row["part"] == "course" and row["seed"] == 0 and row["prior"] == 0.5]
    assert looks == [1, 3, 7, 12] and {row["model"] for row in rows} == {"natural", "counterfactual"}
    conclusion = experiment.conclude(rows, scale)
    assert {f.claim.statement.id for f in conclusion.findings} == {"MM-4", "MM-5", "MM-6"}
    assert conclusion.measurements[0].name == "lab.dominance.flips" and len(conclusion.measurements) == 7
