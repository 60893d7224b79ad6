"""Needles and majorities: the tasks of the crowding experiment, and what attention does with them."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from hardlimit.lab.tasks import TESTING, Batch, generator
from hardlimit.lab.training import stacked
from hardlimit.lab.transformer import Family, Seen

KEYS, VALUES = 32, 8


class Needle(NamedTuple):
    """Which value stands beside the key that is asked for? One pair has the key; the others are distractors.

    Args:
        length: pairs, one of them the needle.
    """

    length: int

    @property
    def vocabulary(self) -> int:
        """Pairs of key and value, and questions."""
        return KEYS * VALUES + KEYS

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw pairs, the needle among them, and the question as the last token."""
        key, value = rng.integers(KEYS, size=n), rng.integers(VALUES, size=n)
        others = (key[:, None] + rng.integers(1, KEYS, size=(n, self.length))) % KEYS
        pairs = others * VALUES + rng.integers(VALUES, size=others.shape)
        pairs[np.arange(n), rng.integers(self.length, size=n)] = key * VALUES + value
        tokens = np.concatenate([pairs, KEYS * VALUES + key[:, None]], axis=1)
        return Batch(tokens, np.full((n, 1), self.length), value[:, None])


class Majority(NamedTuple):
    """Are there more 1s than 0s among an odd number of digits? Token 2 asks.

    Args:
        length: digits; an odd number.
        closest: whether the vote is always one apart.
    """

    length: int
    closest: bool = False

    @property
    def vocabulary(self) -> int:
        """Two digits and the question."""
        return 3

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw digits and the question as the last token."""
        ones = self.length // 2 + rng.integers(2, size=n) if self.closest else rng.integers(self.length + 1, size=n)
        digits = rng.permuted(np.arange(self.length) < ones[:, None], axis=1).astype(np.int64)
        tokens = np.concatenate([digits, np.full((n, 1), 2)], axis=1)
        return Batch(tokens, np.full((n, 1), self.length), (2 * ones > self.length).astype(np.int64)[:, None])


class NeedleReading(NamedTuple):
    """What the last layer's heads did with the needle: (members, cases, heads), `right` (members, cases)."""

    right: NDArray[np.bool_]
    margin: NDArray[np.float64]
    gap: NDArray[np.float64]
    spread: NDArray[np.float64]
    weight: NDArray[np.float64]


@torch.no_grad()
def read_needle(family: Family, task: Needle, cases: int) -> NeedleReading:
    """Ask test questions, and read the logits behind the answers."""
    parts = []
    step = max(8, 2**17 // task.length)
    for start in range(0, cases, step):
        many = min(step, cases - start)
        drawn = [task.draw(generator(seed, TESTING, task.length * 1009 + start), many, 1.0) for seed in family.seeds]
        tokens, rows, answers, *_ = stacked(drawn, family.device)
        watch: list[Seen] = []
        state = family.hidden(tokens, rows, watch=watch)
        right = (family.read(state).argmax(-1) == answers)[..., 0]
        seen = watch[-1]
        attention = family.architecture.attention
        logits = attention.logits(seen.queries, seen.keys, seen.allowed)[:, :, 0].double()
        weights = attention.weights(seen.queries, seen.keys, seen.allowed)[:, :, 0]
        key = tokens[..., -1:] - KEYS * VALUES
        needle = (tokens[..., :-1] // VALUES == key).int().argmax(-1).flatten()[:, None, None]
        place = needle.expand(-1, logits.shape[1], 1)
        target = logits.gather(-1, place)[..., 0]
        # Distractors are the other pairs; the question sees itself too, but there is one of it at every length.
        rest = logits[..., :-1].scatter(-1, place, -torch.inf)
        distractors = logits[..., :-1].scatter(-1, place, torch.nan)
        middle = distractors.nanmean(-1)
        spread = (distractors - middle[..., None]).square().nanmean(-1).sqrt()
        found = (target - rest.logsumexp(-1), target - middle, spread, weights.gather(-1, place)[..., 0])
        shaped = [part.reshape(*tokens.shape[:2], -1).cpu().numpy() for part in found]
        parts.append([right.cpu().numpy(), *shaped])
    return NeedleReading(*(np.concatenate(part, axis=1) for part in zip(*parts, strict=True)))


class PairReading(NamedTuple):
    """Reads of two lists that differ in the digit that decides; (members, cases) each."""

    right: NDArray[np.bool_]
    influence: NDArray[np.float64]
    units: NDArray[np.float64]
    same: NDArray[np.bool_]
    spread: NDArray[np.float64]


@torch.no_grad()
def read_pairs(family: Family, task: Majority, cases: int, precision: torch.dtype) -> PairReading:
    """Ask both lists of each pair at a precision.

    `influence` is the change of the read in units of the longest value; `units` is the largest change of a coordinate
    in units in the last place of a number that large.
    """
    drawn = [task.draw(generator(seed, TESTING, task.length), cases, 1.0) for seed in family.seeds]
    tokens, rows, answers, *_ = stacked(drawn, family.device)
    flipped = tokens.clone()
    deciding = (tokens[..., :-1] == answers).int().argmax(-1, keepdim=True)
    flipped.scatter_(-1, deciding, 1 - answers)
    matrices = {name: part.to(precision) for name, part in family.matrices().items()}
    right = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    reads, spreads, radius = [], [], torch.zeros((), device=tokens.device)
    for these, wanted in ((tokens, answers), (flipped, 1 - answers)):
        watch: list[Seen] = []
        state = family.hidden(these, rows, watch=watch, matrices=matrices)
        right &= (family.read(state, matrices).argmax(-1) == wanted)[..., 0]
        seen = watch[-1]
        logits = family.architecture.attention.logits(seen.queries, seen.keys, seen.allowed).float()
        spreads.append(logits.amax(-1) - logits.amin(-1))
        reads.append(family.architecture.attention.attend(*seen).float())
        radius = torch.maximum(radius, seen.values.float().norm(dim=-1).amax())
    change = reads[0] - reads[1]
    bits = {torch.float32: 24, torch.bfloat16: 8}[precision]
    spacing = torch.exp2(torch.floor(torch.log2(radius)) - bits + 1)
    shape = tokens.shape[:2]

    def worst(part: torch.Tensor) -> NDArray[np.float64]:
        return part.reshape(*shape, -1).amax(-1).double().cpu().numpy()

    return PairReading(
        right.cpu().numpy(),
        worst(change.norm(dim=-1) / radius),
        worst(change.abs() / spacing),
        (change == 0).reshape(*shape, -1).all(-1).cpu().numpy(),
        worst(torch.maximum(*spreads)),
    )
