"""D15: what an encoder maps to one code, no readout tells apart (MM-2)."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.multimodal import bayes_ceiling, collision_floor

Floats = NDArray[np.float64]
Readout = Callable[[Floats, NDArray[np.int64], Floats], NDArray[np.int64]]

PIXELS, TRAIN, TEST = 16, 2000, 4000
SHARES = (0.0, 0.1, 0.2, 0.4, 0.6, 1.0)


def _collisions(seed: int) -> Shown:
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    above: list[float] = []
    curves: dict[str, list[tuple[float, float]]] = {name: [] for name in READOUTS}
    for share in SHARES:
        train, test = _images(rng, TRAIN, share), _images(rng, TEST, share)
        codes = _pooled(train[0]), _pooled(test[0])
        sure = (1 - share) / 2
        ceiling = bayes_ceiling([[share / 2, share / 2], [sure, 0], [0, sure]])
        accuracy = {
            name: float(np.mean(read(codes[0], train[1], codes[1]) == test[1])) for name, read in READOUTS.items()
        }
        deviation = math.sqrt(max(ceiling * (1 - ceiling), 1e-12) / TEST)
        above += [(value - ceiling) / deviation for value in accuracy.values() if share > 0]
        for name, value in accuracy.items():
            curves[name].append((share, value))
        rows.append((share, ceiling, *accuracy.values()))
    train, test = _images(rng, TRAIN, 1.0), _images(rng, TEST, 1.0)
    sharp = float(np.mean(_nearest(_columns(train[0]), train[1], _columns(test[0])) == test[1]))
    return Shown(
        computed=f"Images of a bar at the left or at the right edge. The encoder averages rows, which loses the side; "
        f"a share of the images has no other cue to it. Three readouts were fitted on {TRAIN:,} codes and asked about "
        f"{TEST:,} others.",
        checks=(
            Check(
                asks="no readout beats the Bayes ceiling of the codes on held-out images, by four standard deviations",
                holds=max(above) <= 4,
                found=f"highest: {max(above):+.1f} σ among {len(above)} readouts",
            ),
            Check(
                asks="the error floor is half of the mass that collides",
                holds=all(math.isclose(1 - row[1], float(collision_floor(row[0])), abs_tol=1e-12) for row in rows),
                found=", ".join(f"{row[0]:.0%} collide: {1 - row[1]:.2f}" for row in rows),
            ),
            Check(
                asks="an encoder that keeps the columns is read almost perfectly where the other gives chance",
                holds=sharp > 0.99 and abs(rows[-1][2] - 0.5) < 0.05,
                found=f"all images ambiguous: {sharp:.3f} from columns, {rows[-1][2]:.3f} from rows",
                control=True,
            ),
        ),
        figure=Figure(
            title="Accuracy of readouts behind an encoder with collisions",
            x="share of images whose codes collide",
            y="accuracy on held-out images",
            series=(
                *(Series(label=name, points=tuple(points)) for name, points in curves.items()),
                Series(label="Bayes ceiling", kind="theory", points=tuple((row[0], row[1]) for row in rows)),
            ),
        ),
        head=("colliding", "ceiling", *READOUTS),
        rows=tuple(rows),
        values={"control": sharp},
    )


def _images(rng: np.random.Generator, count: int, ambiguous: float) -> tuple[Floats, NDArray[np.int64]]:
    """Draw images and the side of their bar; where the side is no secret, the upper half is brighter for one side."""
    side = rng.integers(0, 2, count)
    images = rng.normal(0, 0.02, (count, PIXELS, PIXELS))
    images[np.arange(count), :, np.where(side == 1, PIXELS - 1, 0)] += 1.0
    cue = np.where(rng.random(count) < ambiguous, 0, 2 * side - 1)
    images[:, : PIXELS // 2] += 0.2 * cue[:, None, None]
    return images, side


def _pooled(images: Floats) -> Floats:
    """Average each half's rows: the side of the bar is lost."""
    halves = images.reshape(len(images), 2, -1).mean(axis=2)
    return np.asarray(halves.round(1))


def _columns(images: Floats) -> Floats:
    return np.asarray(images.mean(axis=1))


def _nearest(codes: Floats, sides: NDArray[np.int64], asked: Floats) -> NDArray[np.int64]:
    distance = (asked**2).sum(axis=1)[:, None] - 2 * asked @ codes.T + (codes**2).sum(axis=1)
    return np.asarray(sides[distance.argmin(axis=1)])


def _linear(codes: Floats, sides: NDArray[np.int64], asked: Floats) -> NDArray[np.int64]:
    design = np.column_stack([codes, np.ones(len(codes))])
    weights = np.linalg.lstsq(design, 2.0 * sides - 1, rcond=None)[0]
    return np.asarray((np.column_stack([asked, np.ones(len(asked))]) @ weights > 0).astype(np.int64))


def _lookup(codes: Floats, sides: NDArray[np.int64], asked: Floats) -> NDArray[np.int64]:
    """Answer with the side that the same code had more often."""
    votes: dict[bytes, int] = {}
    for code, side in zip(codes, sides, strict=True):
        votes[code.tobytes()] = votes.get(code.tobytes(), 0) + (1 if side else -1)
    return np.array([int(votes.get(code.tobytes(), 0) > 0) for code in asked])


READOUTS: dict[str, Readout] = {"nearest code": _nearest, "linear": _linear, "lookup": _lookup}

COLLISIONS = Demo(
    name="collisions",
    number="D15",
    claims=("MM-2",),
    says="Inputs with different answers and one code put a floor under the error of every readout, however large.",
    refuted_by="A readout that beats the Bayes ceiling of the codes on held-out images.",
    control="An encoder without the collisions is read almost perfectly.",
    work=_collisions,
    takes=1,
)
