"""Worked claims about hallucination, and what each is set beside."""

from collections.abc import Callable
from itertools import product

import numpy as np
from scipy.special import zeta

from hardlimit.core import Claim
from hardlimit.theory.domain import Floats
from hardlimit.theory.entry import Check, Entry, agrees, as_bound, as_impossibility, as_shape, attacked, follows
from hardlimit.theory.frequencies import zipf
from hardlimit.theory.hallucination.abstention import HALL_10, score_ceiling
from hardlimit.theory.hallucination.automata import languages
from hardlimit.theory.hallucination.calibration import HALL_6, calibrated_hallucination
from hardlimit.theory.hallucination.enumeration import HALL_1, no_universal_model
from hardlimit.theory.hallucination.halting import HALL_2, error_by_steps
from hardlimit.theory.hallucination.longtail import HALL_9, error_by_data
from hardlimit.theory.hallucination.memory import HALL_3, fact_error_floor
from hardlimit.theory.hallucination.missing_mass import HALL_5, good_turing, missing_mass_floor
from hardlimit.theory.hallucination.novelty import HALL_11, unverified_novelty
from hardlimit.theory.hallucination.singletons import HALL_8, arbitrary_facts_ceiling
from hardlimit.theory.hallucination.tables import HALL_4, lookup_table
from hardlimit.theory.hallucination.validity import HALL_7, ValidityTerms, generation_error, validity_terms
from hardlimit.theory.oracles import channel_error

_CONFIDENCES = tuple(np.linspace(0.005, 0.995, 100).tolist())


def _automata() -> Claim:
    members, _ = languages(2, 5)

    def answers(row: int) -> Callable[[int], int]:
        return lambda x: int(members[row, x])

    return no_universal_model([answers(row) for row in range(len(members))], range(members.shape[1]), [0, 1])


def _every_language(claim: Claim) -> Check:
    """Compare the constructed target with every language of automata with one or two states."""
    witness = as_impossibility(claim).witness
    target = np.array([int(label) for label in str(witness["target"]).split()])
    errors = (languages(2, 5)[0] != target).sum(axis=1)
    holds = 0 < int(errors.min()) == witness["least_errors"] and int((errors > 0).sum()) == witness["models_that_err"]
    return Check(holds=holds, says="all 26 languages compared with the target", seen={"fewest": int(errors.min())})


def _run_each(claim: Claim) -> Check:
    """Run every two-state machine by itself, one step after the other."""
    shape = as_shape(claim)
    times = [_halting_time(table, 7) for table in product(product((0, 1), (-1, 1), (0, 1, 2)), repeat=4)]
    found = [sum(time is not None and time > steps for time in times) / len(times) for steps, _ in shape.points]
    return follows(claim, found, 1e-12, "every one of the 20,736 two-state machines run by itself")


def _halting_time(table: tuple[tuple[int, int, int], ...], most: int) -> int | None:
    tape: dict[int, int] = {}
    head = state = 0
    for step in range(1, most + 1):
        write, move, goal = table[2 * state + tape.get(head, 0)]
        tape[head] = write
        head += move
        if goal == 2:
            return step
        state = goal
    return None


def _explicit_channel(claim: Claim) -> Check:
    """Use the bits in an explicit channel: its error must not be below the floor."""
    at = as_bound(claim).at
    error = channel_error(float(at["bits"]) / float(at["facts"]), int(at["values"]))
    return attacked(claim, {"channel_error": error}, "an explicit channel that carries the same bits per fact")


def _direct_tail(claim: Claim) -> Check:
    """Add up the law entry by entry until the rest is small enough."""
    at = as_bound(claim).at
    mass = np.cumsum(np.arange(1, 100_001) ** -float(at["exponent"])) / (np.pi**2 / 6)
    return agrees(claim, int(np.argmax(mass >= 1 - float(at["error"]))) + 1, 0.0, "the law summed entry by entry")


def _corpus() -> Floats:
    """Count the facts of one corpus of 100,000 draws from Zipf(1) over 100,000 facts."""
    return np.asarray(np.random.default_rng(0).multinomial(100_000, zipf(100_000, 1.0)), dtype=np.float64)


def _known_law(claim: Claim) -> Check:
    """Compare with the true missing mass of the corpus, which its law gives."""
    missing = float(zipf(100_000, 1.0)[_corpus() == 0].sum())
    return attacked(claim, {"true_missing_mass": missing}, "the true missing mass of the corpus the counts came from")


def _large_corpus() -> Floats:
    return np.asarray(np.random.default_rng(1).multinomial(1_000_000, zipf(1_000_000, 1.0)), dtype=np.float64)


def _calibrated() -> Claim:
    seen_once = good_turing(_large_corpus())
    return calibrated_hallucination(seen_once, 0.0, sparsity=20.0, facts=1_000_000)


def _generate(claim: Claim) -> Check:
    """Let a calibrated generator speak: seen facts at their frequency, anything unseen with the Good–Turing mass."""
    at = as_bound(claim).at
    rng = np.random.default_rng(2)
    unseen = rng.random(200_000) < float(at["seen_once"])
    false = unseen & (rng.random(200_000) >= np.exp(-float(at["sparsity"])))
    return attacked(claim, {"calibrated_generator": float(false.mean())}, "200,000 sentences of a calibrated generator")


def _near_tight_world() -> ValidityTerms:
    """Give each of 199 wrong answers out of 1,000 just more than the threshold probability."""
    model = np.zeros((1, 1001))
    model[0, 0], model[0, 1:200] = 0.8, 0.2 / 199
    truth = np.zeros_like(model)
    truth[0, 0] = 1.0
    return validity_terms(truth, model, truth > 0, [1.0])


def _validity() -> Claim:
    world = _near_tight_world()
    return generation_error(world.validity_error, world.largest_valid, world.smallest_invalid, world.calibration_gap)


def _world_error(claim: Claim) -> Check:
    """Compare with the error of the explicit world that the terms were read from."""
    return attacked(claim, {"error_of_the_world": _near_tight_world().error}, "the error of an explicit world")


def _arbitrary_facts() -> Claim:
    return arbitrary_facts_ceiling(0.9 * good_turing(_large_corpus()), 364, 1_000_000)


def _birthday_learner(claim: Claim) -> Check:
    """Score the learner that knows what it saw and otherwise guesses among 365 answers, as often as answers exist."""
    missing = float(zipf(1_000_000, 1.0)[_large_corpus() == 0].sum())
    return attacked(claim, {"calibrated_learner": 0.9 * missing * 364 / 365}, "a calibrated learner of 365 birthdays")


def _met_facts(claim: Claim) -> Check:
    """Draw fifty corpora of Zipf facts and weigh the facts that were not met often enough."""
    shape = as_shape(claim)
    exponent, exposures = float(shape.parameters["exponent"]), float(shape.parameters["exposures"])
    p = np.arange(1, 100_001) ** -exponent / zeta(exponent)
    rng = np.random.default_rng(0)
    # Facts beyond the first 100,000 are counted as not met: their expected exposures are below 0.002.
    found = [1 - float(np.mean([p[rng.poisson(x * p) >= exposures].sum() for _ in range(50)])) for x, _ in shape.points]
    return follows(claim, found, 0.02, "the mass of facts not met, averaged over 50 drawn corpora")


def _other_cuts(claim: Claim) -> Check:
    """Score every cut and a thousand random sets of answered questions."""
    at = as_bound(claim).at
    p, cost = np.asarray(_CONFIDENCES), float(at["threshold"]) / (1 - float(at["threshold"]))
    worth = p - cost * (1 - p)
    answers = np.random.default_rng(0).random((1000, p.size)) < p
    attempts = {
        "best_cut": max(float(worth[p >= cut].sum()) / p.size for cut in p),
        "best_random_policy": float((answers * worth).sum(axis=1).max()) / p.size,
    }
    return attacked(claim, attempts, "the score of every cut and of 1,000 random policies")


def _drawn_truths(claim: Claim) -> Check:
    """Draw the unseen truths at random 2,000 times against one fixed generator."""
    at = as_bound(claim).at
    unseen, truths = int(at["universe"]) - int(at["seen"]), int(at["valid"]) - int(at["seen"])
    rng = np.random.default_rng(0)
    says = np.zeros(unseen)
    says[: unseen // 2] = float(at["novelty"]) / (unseen // 2)
    found = np.mean([says.sum() - says[rng.permutation(unseen)[:truths]].sum() for _ in range(2000)])
    return agrees(claim, float(found), 0.01, "2,000 random sets of unseen truths against a fixed generator")


ENTRIES = (
    Entry(statement=HALL_1, example=_automata, confront=_every_language),
    Entry(statement=HALL_2, example=lambda: error_by_steps(2, [1, 3, 5, 6]), confront=_run_each),
    Entry(statement=HALL_3, example=lambda: fact_error_floor(400.0, 100.0, 365), confront=_explicit_channel),
    Entry(statement=HALL_4, example=lambda: lookup_table(0.01, 2.0), confront=_direct_tail),
    Entry(statement=HALL_5, example=lambda: missing_mass_floor(_corpus()), confront=_known_law),
    Entry(statement=HALL_6, example=_calibrated, confront=_generate),
    Entry(statement=HALL_7, example=_validity, confront=_world_error),
    Entry(statement=HALL_8, example=_arbitrary_facts, confront=_birthday_learner),
    Entry(statement=HALL_9, example=lambda: error_by_data([1e3, 1e4, 1e5], 1.5), confront=_met_facts),
    Entry(statement=HALL_10, example=lambda: score_ceiling(_CONFIDENCES, 0.75), confront=_other_cuts),
    Entry(statement=HALL_11, example=lambda: unverified_novelty(10_000, 1_000, 500, 0.3), confront=_drawn_truths),
)
