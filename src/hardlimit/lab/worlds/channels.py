"""Pictures and captions: the two channels of the dominance experiment, and what a model does with each of them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from hardlimit.lab.experiment import Row
from hardlimit.lab.tasks import TESTING, Batch, Tokens, distinct, generator
from hardlimit.lab.transformer import Family, Seen

RATIOS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""Likelihood ratios of what a picture can show of an object: at 1 the colour seen says nothing."""

COLOURS = 2
LOOKS = 1e-3
"""A head with a smaller share of its attention on the picture does not look at it."""

SILENT = 2
"""The caption's word for an object whose colour it does not tell."""

Floats = NDArray[np.float64]

Diet = Literal["natural", "text dropped", "counterfactual"]

DIETS: tuple[Diet, ...] = ("natural", "text dropped", "counterfactual")

Channel = Literal["picture", "caption"]
CHANNELS: tuple[Channel, ...] = ("picture", "caption")

Told = Literal["as seen", "not as seen", "true", "false", "coin"]


class Case(NamedTuple):
    """Cases with what stands behind them; the last four are about the object that is asked for, (n,)."""

    tokens: Tokens
    answers: Tokens
    level: Tokens
    shown: Tokens
    said: Tokens
    truth: Tokens


class Scenes(NamedTuple):
    """Which of two colours has an object? A picture shows all objects more or less sharply, a caption names colours.

    A sequence holds the picture (one token per object: shape, sharpness and the colour seen), the caption (one token
    per object: shape and the colour said), both in random order, and the shape that is asked for. Truths are even. The
    colour said is right with chance `prior`. At a sharpness of likelihood ratio Λ the colour seen is right with
    chance Λ/(1 + Λ). Given the truth, all are independent, so that a Bayesian answers by the sum of two log-odds.

    Args:
        prior: chance that the caption says the true colour.
        diet: `natural` draws as told; `text dropped` has captions that tell no colour in every other sequence;
            `counterfactual` follows each sequence by its twin, all colours in the picture and the answer swapped, the
            caption kept.
        shapes: different shapes.
        objects: objects in a picture, at most `shapes`.
    """

    prior: float
    diet: Diet = "natural"
    shapes: int = 6
    objects: int = 4

    @property
    def caption(self) -> int:
        """First token of the caption's words; those below are the picture's."""
        return self.shapes * len(RATIOS) * COLOURS

    @property
    def question(self) -> int:
        """First token of the questions."""
        return self.caption + self.shapes * (COLOURS + 1)

    @property
    def answer(self) -> int:
        """First of the two answers."""
        return self.question + self.shapes

    @property
    def vocabulary(self) -> int:
        """Objects as seen, objects as said, questions, answers."""
        return self.answer + COLOURS

    def draw(self, rng: np.random.Generator, n: int, progress: float) -> Batch:
        """Draw sequences by the diet."""
        if self.diet == "counterfactual":
            half = self.cases(rng, (n + 1) // 2)
            tokens, answers = np.repeat(half.tokens, 2, axis=0)[:n], np.repeat(half.answers, 2)[:n]
            tokens[1::2] = self.swapped(tokens[1::2], "picture")
            answers[1::2] = 2 * self.answer + 1 - answers[1::2]
        else:
            tokens, answers, *_ = self.cases(rng, n)
        if self.diet == "text dropped":
            said = tokens[::2, self.objects : 2 * self.objects]
            tokens[::2, self.objects : 2 * self.objects] = said - (said - self.caption) % (COLOURS + 1) + SILENT
        return Batch(tokens, np.full((n, 1), 2 * self.objects), answers[:, None])

    def cases(self, rng: np.random.Generator, n: int, *, level: int | None = None, caption: Told | None = None) -> Case:
        """Draw sequences by nature.

        Args:
            rng: of all that is random.
            n: sequences.
            level: sharpness of every object, an index of `RATIOS`; drawn evenly without it.
            caption: what it says of the object that is asked for; what chance makes of `prior` without it.
        """
        shape = distinct(rng, n, self.objects, self.shapes)
        truth = rng.integers(COLOURS, size=shape.shape)
        levels = rng.integers(len(RATIOS), size=shape.shape) if level is None else np.full(shape.shape, level)
        ratio = np.array(RATIOS)[levels]
        shown = np.where(rng.random(shape.shape) < ratio / (1 + ratio), truth, 1 - truth)
        said = np.where(rng.random(shape.shape) < self.prior, truth, 1 - truth)
        asked = (np.arange(n), rng.integers(self.objects, size=n))
        if caption is not None:
            told = {"as seen": shown, "not as seen": 1 - shown, "true": truth, "false": 1 - truth}
            said[asked] = rng.integers(COLOURS, size=n) if caption == "coin" else told[caption][asked]
        seen = (shape * len(RATIOS) + levels) * COLOURS + shown
        words = rng.permuted(self.caption + shape * (COLOURS + 1) + said, axis=1)
        tokens = np.concatenate([seen, words, self.question + shape[asked][:, None]], axis=1)
        return Case(tokens, self.answer + truth[asked], levels[asked], shown[asked], said[asked], truth[asked])

    def swapped(self, tokens: Tokens, channel: Channel) -> Tokens:
        """The same sequences with all colours of one channel exchanged."""
        other = tokens.copy()
        if channel == "picture":
            other[:, : self.objects] ^= 1
        else:
            words = other[:, self.objects : 2 * self.objects]
            words += 1 - 2 * ((words - self.caption) % (COLOURS + 1))
        return other


def bayes_right(prior: float) -> tuple[float, float, float]:
    """Accuracy of Bayes' rule with both channels, from the caption alone and from the picture alone.

    >>> [round(share, 4) for share in bayes_right(0.5)]
    [0.8737, 0.5, 0.8737]
    """
    ratios = np.array(RATIOS, dtype=float)
    sharp = ratios / (1 + ratios)
    return float(np.maximum(sharp, prior).mean()), max(prior, 1 - prior), float(sharp.mean())


@torch.no_grad()
def leaning(family: Family, tasks: Sequence[Scenes], tokens: Sequence[Tokens]) -> Floats:
    """Log-odds, in nats, that each member gives to colour 1; `tokens` are one array (n, tokens) per member."""
    made, task = [], tasks[0]
    inputs = torch.from_numpy(np.stack(tokens)).to(family.device)
    for part in torch.split(inputs, 512, dim=1):
        rows = torch.full((*part.shape[:2], 1), part.shape[-1] - 1, dtype=torch.int64, device=family.device)
        logits = family(part, rows)[:, :, 0].double()
        made.append((logits[..., task.answer + 1] - logits[..., task.answer]).cpu().numpy())
    return np.concatenate(made, axis=1)


def answers_of(
    family: Family,
    tasks: Sequence[Scenes],
    n: int,
    place: int,
    *,
    level: int | None = None,
    caption: Told | None = None,
) -> tuple[list[Case], Floats]:
    """Ask fresh test cases, drawn as by `Scenes.cases`.

    Returns:
        Each member's cases, and its leanings, (members, n).
    """
    cases = [
        task.cases(generator(seed, TESTING, place), n, level=level, caption=caption)
        for task, seed in zip(tasks, family.seeds, strict=True)
    ]
    return cases, leaning(family, tasks, [case.tokens for case in cases])


def channel_gradients(family: Family, tasks: Sequence[Scenes], n: int, place: int) -> tuple[Floats, Floats]:
    """Gradient that reaches each channel: root mean square over cases of the norm of ∂loss/∂(the channel's inputs).

    It is what flows back into the part of a network that would encode the channel, and does not depend on how many
    different tokens the channel has. Cases are drawn by the diet.

    Returns:
        Of the picture and of the caption, one number per member.
    """
    drawn = [task.draw(generator(seed, TESTING, place), n, 1.0) for task, seed in zip(tasks, family.seeds, strict=True)]
    tokens = torch.from_numpy(np.stack([batch.tokens for batch in drawn])).to(family.device)
    answers = torch.from_numpy(np.stack([batch.answers for batch in drawn])).to(family.device)
    members, _, length = tokens.shape
    matrices = {name: part.detach() for name, part in family.matrices().items()}
    # Every token of every case gets an embedding of its own, whose gradient is that of this one input.
    flat = tokens.flatten(1)[..., None].expand(-1, -1, family.architecture.width)
    own = matrices["embedding"].gather(1, flat).requires_grad_()
    index = torch.arange(n * length, device=tokens.device).reshape(n, length).expand(members, -1, -1)
    rows = torch.full((members, n, 1), length - 1, dtype=torch.int64, device=tokens.device)
    logits = family.read(family.hidden(index, rows, matrices=matrices | {"embedding": own}), matrices)
    loss = functional.cross_entropy(logits.flatten(0, 2), answers.flatten(), reduction="sum")
    (slope,) = torch.autograd.grad(loss, own)
    squares = slope.square().sum(-1).reshape(members, n, length).double()
    objects = tasks[0].objects

    def norm(part: Tensor) -> Floats:
        return np.asarray(part.sum(-1).mean(-1).sqrt().cpu(), dtype=np.float64)

    return norm(squares[..., :objects]), norm(squares[..., objects : 2 * objects])


class Replaced(NamedTuple):
    """What one head's read did when the whole picture was exchanged, (members, cases, heads).

    Args:
        mass: the larger of the picture's attention shares before and after.
        moved: distance that the read moved, in units of twice the longest value.
    """

    mass: Floats
    moved: Floats


@torch.no_grad()
def replace_picture(family: Family, tasks: Sequence[Scenes], n: int, place: int) -> Replaced:
    """Exchange the pictures of test cases for those of others, the captions kept, and watch the heads of block 1.

    It is computed in double precision: the shares of heads that look away are below the rounding of single precision.
    """
    matrices = {name: part.double() for name, part in family.matrices().items()}
    first, second = [], []
    for task, seed in zip(tasks, family.seeds, strict=True):
        tokens = task.cases(generator(seed, TESTING, place), n).tokens
        other = tokens.copy()
        other[:, : task.objects] = np.roll(tokens[:, : task.objects], 1, axis=0)
        first.append(tokens)
        second.append(other)
    reads, masses, longest = [], [], []
    for part in (first, second):
        inputs = torch.from_numpy(np.stack(part)).to(family.device)
        rows = torch.full((*inputs.shape[:2], 1), inputs.shape[-1] - 1, dtype=torch.int64, device=family.device)
        watch: list[Seen] = []
        family.hidden(inputs, rows, watch=watch, matrices=matrices)
        weights = family.architecture.attention.weights(watch[0].queries, watch[0].keys, watch[0].allowed)[:, :, -1]
        reads.append((weights[..., None, :] @ watch[0].values)[..., 0, :])
        masses.append(weights[..., : tasks[0].objects].sum(-1))
        longest.append(watch[0].values.norm(dim=-1).amax(-1))
    moved = (reads[0] - reads[1]).norm(dim=-1) / (2 * torch.maximum(*longest))
    shape = (len(tasks), n, -1)

    def shaped(part: Tensor) -> Floats:
        return np.asarray(part.reshape(shape).cpu())

    return Replaced(shaped(torch.maximum(*masses)), shaped(moved))


def reading(family: Family, tasks: Sequence[Scenes], n: int, place: int) -> Tensor:
    """What a look on the way through training notes, (members, 4).

    It is the share of answers that follow the caption where the picture tells nothing, the share that follow the
    picture at its sharpest where the caption tells nothing, and the gradients that reach picture and caption.
    """
    blank, by_caption = answers_of(family, tasks, n, place, level=0)
    sharp, by_picture = answers_of(family, tasks, n, place + 1, level=len(RATIOS) - 1, caption="coin")
    caption = [float(((lean > 0) == case.said).mean()) for case, lean in zip(blank, by_caption, strict=True)]
    picture = [float(((lean > 0) == case.shown).mean()) for case, lean in zip(sharp, by_picture, strict=True)]
    return torch.from_numpy(np.stack([caption, picture, *channel_gradients(family, tasks, 2 * n, place + 2)], axis=1))


@torch.no_grad()
def measured_channels(family: Family, tasks: Sequence[Scenes], n: int) -> list[Row]:
    """What trained models do with each channel.

    Rows by `part`: `flip`, answers as shown where the caption says the other colour, by the picture's likelihood
    ratio, and the mean chance given to the colour shown; `accuracy`, by whether the caption is true; `blank`, with a
    picture that tells nothing, and the bits that the answers' chances then carry; `swap`, answers that change when a
    channel says the opposite; `attention`, the picture's share, and the read that moved furthest for its share when
    the picture was exchanged.
    """
    rows: list[Row] = []

    def note(part: str, kind: Row, hits: Sequence[NDArray[np.bool_]]) -> None:
        for seed, hit in zip(family.seeds, hits, strict=True):
            rows.append({"part": part, **kind, "seed": seed, "right": int(hit.sum()), "n": hit.size})

    for level, ratio in enumerate(RATIOS):
        cases, leans = answers_of(family, tasks, n, 100 + level, level=level, caption="not as seen")
        note("flip", {"ratio": ratio}, [(o > 0) == c.shown for c, o in zip(cases, leans, strict=True)])
        for row, case, lean in zip(rows[-len(tasks) :], cases, leans, strict=True):
            row["chance"] = float(np.exp(-np.logaddexp(0, np.where(case.shown == 1, -lean, lean))).mean())
    told: tuple[Told, ...] = ("true", "false")
    for place, caption in enumerate(told):
        cases, leans = answers_of(family, tasks, 4 * n, 200 + place, caption=caption)
        note("accuracy", {"caption": caption}, [(o > 0) == c.truth for c, o in zip(cases, leans, strict=True)])
    cases, leans = answers_of(family, tasks, 4 * n, 300, level=0)
    note("blank", {}, [(o > 0) == c.truth for c, o in zip(cases, leans, strict=True)])
    for row, case, lean in zip(rows[-len(tasks) :], cases, leans, strict=True):
        against = np.where(case.truth == 1, -lean, lean) / np.log(2)
        row["bits"] = 1 - float(np.logaddexp2(0, against).mean())
    cases, leans = answers_of(family, tasks, 4 * n, 400)
    for channel in CHANNELS:
        swapped = [task.swapped(case.tokens, channel) for task, case in zip(tasks, cases, strict=True)]
        note("swap", {"channel": channel}, list((leaning(family, tasks, swapped) > 0) != (leans > 0)))
    mass, moved = replace_picture(family, tasks, n, 500)
    for member, seed in enumerate(family.seeds):
        used = np.where(mass[member] >= LOOKS, moved[member] / mass[member].clip(min=LOOKS), 0.0)
        tight = np.unravel_index(used.argmax(), used.shape)
        ends: Row = {"tight_mass": float(mass[member][tight]), "tight_move": float(moved[member][tight])}
        rows.append({"part": "attention", "seed": seed, "mass": float(mass[member].mean()), **ends})
    return rows
