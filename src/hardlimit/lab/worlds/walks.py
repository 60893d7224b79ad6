"""A walker that writes where it stands, step by step: the task, its test walks, and what a family writes on them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.lab.tasks import TESTING, Batch, Tokens, generator
from hardlimit.lab.transformer import Family

Rights = NDArray[np.bool_]

WORLD = 12
"""Stream of the random numbers that moves are made from."""


class Walk(NamedTuple):
    """Where does each move lead? A walker among places writes where it stands after each move.

    A turn is three tokens: what is seen before the move (a landmark that tells the true place, or nothing), the move,
    and the place that is then written. Moves permute the places, so that a wrong place stays wrong until it is looked
    up. In clean training every written place is true and landmarks are superfluous. In recovery training some are
    replaced by others; the answer then follows from the place as written, and from the landmark where there is one.

    Args:
        places: to stand on.
        moves: permutations of the places.
        turns: that the model sees at once.
        seen: chance of a landmark.
        corrupted: chance that a written place of the training is replaced.
        seed: of the moves.
    """

    places: int
    moves: int
    turns: int
    seen: float
    corrupted: float
    seed: int

    @property
    def vocabulary(self) -> int:
        """Places, landmarks, nothing seen, and moves."""
        return 2 * self.places + 1 + self.moves

    @property
    def memory(self) -> int:
        """Tokens that the model sees at once: a place, then what is seen and the move of each turn, places between."""
        return 3 * self.turns

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw the turns of n walks; the place after each move is asked."""
        leads = moves_of(self)
        truth = rng.integers(self.places, size=n)
        written = self._spoilt(rng, truth)
        tokens, answers = [written], []
        for _ in range(self.turns):
            seen = rng.random(n) < self.seen
            move = rng.integers(self.moves, size=n)
            tokens += [np.where(seen, self.places + truth, 2 * self.places), 2 * self.places + 1 + move]
            answers.append(leads[move, np.where(seen, truth, written)])
            truth, written = leads[move, truth], self._spoilt(rng, answers[-1])
            tokens.append(written)
        rows = np.broadcast_to(2 + 3 * np.arange(self.turns), (n, self.turns)).copy()
        return Batch(np.stack(tokens[:-1], axis=1), rows, np.stack(answers, axis=1))

    def _spoilt(self, rng: np.random.Generator, places: Tokens) -> Tokens:
        """Replace some places by others."""
        other = (places + rng.integers(1, self.places, size=places.size)) % self.places
        return np.where(rng.random(places.size) < self.corrupted, other, places)


@lru_cache(maxsize=64)
def moves_of(task: Walk) -> Tokens:
    """Where each move leads from each place, (moves, places); equal for equal seeds, however it is trained."""
    places = np.broadcast_to(np.arange(task.places), (task.moves, task.places))
    return generator(task.seed, WORLD).permuted(places, axis=1)


class Trail(NamedTuple):
    """What a walker goes through: true places before and after each move, moves, and when it sees a landmark."""

    truth: Tokens
    moves: Tokens
    seen: Rights


def trail(task: Walk, steps: int, chains: int, stream: int) -> Trail:
    """Draw test walks, the same for every training of one seed; arrays are (chains, steps), `truth` one step longer."""
    rng, leads = generator(task.seed, TESTING, stream), moves_of(task)
    truth = [rng.integers(task.places, size=chains)]
    moves = rng.integers(task.moves, size=(chains, steps))
    seen = rng.random((chains, steps)) < task.seen
    for step in range(steps):
        truth.append(leads[moves[:, step], truth[-1]])
    return Trail(np.stack(truth, axis=1), moves, seen)


@torch.no_grad()
def written(
    family: Family, tasks: Sequence[Walk], trails: Sequence[Trail], *, seed: int, astray: bool = False
) -> Rights:
    """Let each member write its walks at temperature 1, going on from its own places.

    Args:
        family: the models.
        tasks: one per member.
        trails: one per member.
        seed: of the draws at temperature 1.
        astray: start from a wrong place instead of the right one.

    Returns:
        Which written places are true, (members, chains, steps).
    """
    draws = torch.Generator(family.device).manual_seed(seed)
    truth, moves = (torch.from_numpy(np.stack(a)).to(family.device) for a in zip(*(t[:2] for t in trails), strict=True))
    seen = torch.from_numpy(np.stack([t.seen for t in trails])).to(family.device)
    first, memory = tasks[0].places, tasks[0].memory
    landmarks, nothing = first + truth[..., :-1], torch.full_like(moves, 2 * first)
    told = torch.stack([torch.where(seen, landmarks, nothing), 2 * first + 1 + moves], dim=-1)
    context = (truth[..., :1] + int(astray)) % first
    kept = []
    for step in range(moves.shape[-1]):
        context = torch.cat([context, told[..., step, :]], dim=-1)[..., -memory:]
        rows = torch.full_like(context[..., :1], context.shape[-1] - 1)
        chances = family(context, rows)[..., 0, :].softmax(-1)
        place = torch.multinomial(chances.flatten(0, 1), 1, generator=draws).reshape(*context.shape[:2], 1)
        kept.append(place[..., 0] == truth[..., step + 1])
        context = torch.cat([context, place], dim=-1)
    return torch.stack(kept, dim=-1).cpu().numpy()


def transitions(right: Rights, *, started_right: bool) -> tuple[int, int, int, int]:
    """Count errors and the right steps they come after, then repairs and the wrong steps they come after.

    >>> transitions(np.array([[True, False, False, True]]), started_right=True)
    (1, 2, 1, 2)
    """
    before = np.concatenate([np.full((len(right), 1), started_right), right[:, :-1]], axis=1)
    counts = (before & ~right, before, ~before & right, ~before)
    return tuple(int(count.sum()) for count in counts)  # type: ignore[return-value]


def repaired_at_once(right: Rights) -> tuple[int, int]:
    """Count the first errors of chains that the very next step repairs, and all first errors that have a next step.

    >>> repaired_at_once(np.array([[True, False, True, False], [False, False, True, True], [True, True, True, False]]))
    (1, 2)
    """
    before = np.concatenate([np.ones((len(right), 1), dtype=bool), right[:, :-1]], axis=1)
    first = np.logical_and.accumulate(before, axis=1) & ~right
    return int((first[:, :-1] & right[:, 1:]).sum()), int(first[:, :-1].sum())
