"""Languages of short strings with a membership oracle, and the exact law of a family over all strings of one."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from hardlimit.lab.experiment import Row
from hardlimit.lab.tasks import Batch, Tokens, generator
from hardlimit.lab.transformer import Family
from hardlimit.theory import hallucination as theory

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

WORLD = 13
"""Stream of the random numbers that languages and corpora are made from."""

LETTERS = 8
FOLLOWERS = 4
"""Letters, and how many of them may follow each in a language with a rule."""

MISTAKES = 8
MISTAKEN = 0.6
"""Falsehoods of the corpus that misleads, and how much of it they make up."""

TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Of the sweep."""

ORACLE, NOISY, NONE = "oracle", "verifier 95/10", "none"
VERIFIERS = {NONE: (1.0, 1.0), NOISY: (0.95, 0.10), ORACLE: (1.0, 0.0)}
"""Chances that a verifier accepts a valid and an invalid string."""


class Language(NamedTuple):
    """Strings of one length, of which some are valid; half of those are the corpus.

    With a rule, a string is valid where every letter may follow the one before it: a model can learn this from half of
    the valid strings. Without one, as many strings are valid, drawn at random: nothing tells an unseen valid string
    from an unseen invalid one.

    Args:
        length: letters of a string.
        ruled: whether there is a rule.
        misled: whether a few invalid strings make up most of the corpus.
        seed: of language and corpus.
    """

    length: int
    ruled: bool
    misled: bool
    seed: int

    @property
    def vocabulary(self) -> int:
        """Letters and a beginning."""
        return LETTERS + 1

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw strings from the corpus; every letter is asked."""
        world = made(self)
        drawn = rng.choice(world.seen, size=n)
        if self.misled:
            drawn = np.where(rng.random(n) < MISTAKEN, rng.choice(world.mistakes, size=n), drawn)
        letters = letters_of(drawn, self.length)
        tokens = np.concatenate([np.full((n, 1), LETTERS), letters[:, :-1]], axis=1)
        return Batch(tokens, np.broadcast_to(np.arange(self.length), (n, self.length)).copy(), letters)


class World(NamedTuple):
    """Which of all strings are valid (the oracle), the numbers of the seen ones, and of the corpus's falsehoods."""

    valid: Flags
    seen: Tokens
    mistakes: Tokens

    @property
    def truth_share(self) -> float:
        """ρ, the share of valid strings among those not seen."""
        return theory.unseen_truth_share(self.valid.size, int(self.valid.sum()), self.seen.size)


def letters_of(numbers: Tokens, length: int) -> Tokens:
    """Letters of the strings with some numbers, the first letter counting most.

    >>> letters_of(np.array([0, 9]), 3).tolist()
    [[0, 0, 0], [0, 1, 1]]
    """
    return numbers[:, None] // LETTERS ** np.arange(length - 1, -1, -1) % LETTERS


@lru_cache(maxsize=64)
def made(task: Language) -> World:
    """Make the language and the corpus of a task."""
    rng = generator(task.seed, WORLD)
    every = LETTERS**task.length
    follows = rng.permuted(np.broadcast_to(np.arange(LETTERS) < FOLLOWERS, (LETTERS, LETTERS)), axis=1)
    letters = letters_of(np.arange(every), task.length)
    valid: Flags = np.logical_and.reduce(follows[letters[:, :-1], letters[:, 1:]], axis=1)
    if not task.ruled:
        valid = rng.permutation(valid)
    truths = rng.permutation(np.flatnonzero(valid))
    return World(valid, truths[: truths.size // 2], rng.permutation(np.flatnonzero(~valid))[:MISTAKES])


@torch.no_grad()
def all_logits(family: Family, length: int) -> Floats:
    """Logits of every letter after every beginning of a string, (members, beginnings, length, letters).

    Beginnings are all strings but for their last letter, in the order of their numbers.
    """
    letters = letters_of(np.arange(LETTERS ** (length - 1)), length - 1)
    tokens = np.concatenate([np.full((len(letters), 1), LETTERS), letters], axis=1)
    everyone = torch.from_numpy(tokens).to(family.device).expand(len(family.seeds), -1, -1)
    return np.asarray(family(everyone)[..., :LETTERS].double().cpu())


def chances_of(logits: Floats, temperature: float) -> Floats:
    """Log-chance of every string of one model that heats each letter; a string is its letters' chances multiplied.

    >>> careless = np.broadcast_to(np.random.default_rng(0).normal(size=(2, 8)), (8, 2, 8))
    >>> bool(np.isclose(np.exp(chances_of(careless, 0.7)).sum(), 1.0))
    True
    """
    length = logits.shape[1]
    letters = letters_of(np.arange(len(logits)), length - 1)
    each = log_softmax(logits / temperature, axis=-1)
    begun = sum(each[np.arange(len(logits)), place, letters[:, place]] for place in range(length - 1))
    return np.asarray((begun[:, None] + each[:, -1]).ravel())


def weighed(logits: Floats, world: World) -> list[Row]:
    """Masses of one model at every temperature and behind every verifier, exactly: no string is drawn.

    Args:
        logits: of the model.
        world: with the oracle.
    """
    seen = np.zeros(world.valid.size, dtype=bool)
    seen[world.seen] = True
    law = chances_of(logits, 1.0)
    slope = theory.temperature_slope(law, world.valid)
    rows: list[Row] = []
    for temperature in TEMPERATURES:
        masses = np.exp(chances_of(logits, temperature))
        tempered = float(np.exp(logsumexp(law[world.valid] / temperature) - logsumexp(law / temperature)))
        for name, (accept_valid, accept_invalid) in VERIFIERS.items():
            kept = masses * np.where(world.valid, accept_valid, accept_invalid)
            accepted = float(kept.sum())
            known, valid = float(kept[seen].sum()) / accepted, float(kept[world.valid].sum()) / accepted
            masses_: Row = {"seen": known, "new": max(0.0, valid - known), "invalid": max(0.0, 1 - valid)}
            kappa = valid + (1 - world.truth_share) * (1 - known)
            told: Row = {"temperature": temperature, "verifier": name, "accepted": accepted, "kappa": kappa}
            rows.append(told | masses_ | {"slope": slope, "tempered": tempered})
    return rows
