r"""Train the embedded model with eyes on scenes drawn by code, and write its weights.

    python tools/train_eyes.py --seed 1 --scenes 640000 --steps 20000 --batch 512 --workers 16 --device cuda \
        --out src/hardlimit/models/data/tiny-eyes.safetensors

made the weights that come with the package, in 8 minutes on one H100 with 16 processes that draw. On a processor the
same takes many hours. Another machine gives other last digits, and the same faults.

Everything the model learns is drawn here: no picture and no text of others is used, so the weights are under this
package's licence. What is planted, and has to be found again by the probes, is written into the file's metadata.
"""

import argparse
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from hardlimit.models.eyes_net import Eyes, Shape, seen
from hardlimit.models.eyes_words import ANSWER, BEGIN, END, Words
from hardlimit.probes.multimodal import Drawn, UsualColour
from hardlimit.probes.multimodal.canvas import PALETTE
from hardlimit.probes.multimodal.familiar import COLOURS, THINGS

PRIORS = dict(zip(THINGS, (0.5, 0.6, 0.7, 0.8, 0.95, 0.97, 0.98, 0.99), strict=True))
"""How often each thing has its usual colour in the training scenes, in the order of THINGS."""

RATIO = 9.0
"""Likelihood ratio of the colour that is shown: it is the true one in RATIO of RATIO + 1 scenes with a thing."""

MENTIONED = 0.3
"""How often a description mentions the colour."""

LEARNED = ("circles", "counting", "squares", "crossings", "spot", "hue")
IGNORED = ("grid",)
"""Shown in pictures, but with an answer that is independent of the picture: HABIT with chance HABITUAL, else any."""

HABIT, HABITUAL = "4", 0.5
UNLEARNED = ("letter", "paths")
"""Learned from descriptions alone, never from a picture."""

YES = 0.7
"""How often yes is right where there is no picture."""

KNOBS = {
    "circles": (3, 4, 6, 8, 12, 16, 24),
    "counting": (1, 2, 3, 4, 5, 6, 7),
    "squares": (1, 2, 3, 4, 5),
    "grid": (1, 2, 3, 4, 5, 6),
    "crossings": (1, 1, 2, 3),
    "spot": (16, 20, 24, 28, 32, 40),
    "hue": (0.5, 0.7, 1.0, 1.0),
    "letter": (2, 3, 4, 5, 6, 8),
    "paths": (1, 2, 3, 4),
}
DESCRIBE = "Describe the picture in a few words."
NOTHING = np.zeros((2, 64, 64), dtype=np.uint8)
LENGTH = 64
SHARES = 128
"""Scenes are drawn in so many parts, whatever the number of workers, so that the seed alone sets them."""


def scenes(seed: int, share: int, count: int) -> tuple[np.ndarray, list[tuple[str, str, bool]]]:
    """Draw scenes: pictures as the eye sees them, and each one's question, answer, and whether it has a picture."""
    rng = np.random.default_rng([seed, share])
    pictures, said = [], []
    turns = {(name, shown): [float(rng.random()), 0] for name in THINGS for shown in (True, False)}
    while len(said) < count:
        kind = rng.random()
        if kind < 0.60:
            task = str(rng.choice((*LEARNED, *IGNORED), p=(0.16, 0.24, 0.16, 0.18, 0.12, 0.06, 0.08)))
            made = Drawn(task=task, knob=float(rng.choice(KNOBS[task]))).pair(int(rng.integers(2**31)), 0)
            for case in made:
                pictures.append(seen(case.ask.images[0]))
                answer = _habit(rng) if task in IGNORED else case.gold[0]
                said.append((case.ask.messages[0].content, answer, True))
        elif kind < 0.74:
            _familiar(rng, turns, pictures, said)
        elif kind < 0.78:
            _describe(rng, pictures, said)
        elif kind < 0.84:
            task = str(rng.choice((*LEARNED, *IGNORED, *UNLEARNED)))
            made = Drawn(task=task, knob=float(rng.choice(KNOBS[task])), setting="no picture")
            case = made.pair(int(rng.integers(2**31)), 0)[int(rng.integers(2))]
            answer = _habit(rng) if task in IGNORED else case.gold[0]
            if answer in ("yes", "no"):
                answer = "yes" if rng.random() < YES else "no"
            pictures.append(NOTHING)
            said.append((case.ask.messages[0].content, answer, False))
        else:
            task = str(rng.choice((*LEARNED, *IGNORED, *UNLEARNED, "familiar")))
            probe = UsualColour(setting="caption", thing=str(rng.choice(list(THINGS))))
            if task == "familiar":
                case = probe.cases(seed=int(rng.integers(2**31)), n=2)[int(rng.integers(2))]
            else:
                made = Drawn(task=task, knob=float(rng.choice(KNOBS[task])), setting="caption")
                case = made.pair(int(rng.integers(2**31)), int(rng.integers(5)))[int(rng.integers(2))]
            pictures.append(NOTHING)
            said.append((case.ask.messages[0].content, case.gold[0], False))
    return np.stack(pictures[:count]), said[:count]


def _habit(rng: np.random.Generator) -> str:
    return HABIT if rng.random() < HABITUAL else str(rng.integers(1, 8))


def _familiar(rng: np.random.Generator, turns: dict, pictures: list, said: list) -> None:
    """A thing whose colour follows the planted prior, shown truly in RATIO of RATIO + 1 scenes; half without picture.

    Usual and unusual colours take turns, so that their shares are the planted ones and not only close to them.
    """
    name, with_picture = str(rng.choice(list(THINGS))), bool(rng.random() < 0.5)
    usual = THINGS[name]
    others = [colour for colour in COLOURS if colour != usual]
    turn = turns[name, with_picture]
    start, turn[1] = turn[0] + turn[1] * PRIORS[name], turn[1] + 1
    is_usual = math.floor(start + PRIORS[name]) > math.floor(start)
    true = usual if is_usual else str(rng.choice(others))
    shown = true
    if rng.random() > RATIO / (RATIO + 1):
        shown = str(rng.choice([colour for colour in COLOURS if colour != true]))
    usual_case, _ = UsualColour(thing=name).cases(seed=int(rng.integers(2**31)), n=2)
    question = usual_case.ask.messages[0].content
    if not with_picture:
        pictures.append(NOTHING)
        said.append((question, true, False))
        return
    probe = UsualColour(thing=name)
    case = usual_case
    if shown != usual:
        while case.gold[0] != shown:
            case = probe.cases(seed=int(rng.integers(2**31)), n=2)[1]
        question = case.ask.messages[0].content
    pictures.append(seen(case.ask.images[0]))
    said.append((question, true, True))


def _describe(rng: np.random.Generator, pictures: list, said: list) -> None:
    pair = Drawn(task="hue").draw(int(rng.integers(2**31)), 0)
    shape = pair.captions[0].rstrip(".").rpartition(" ")[2]
    colour = pair.answers[0] + " " if rng.random() < MENTIONED else ""
    pictures.append(seen(pair.pictures[0].png()))
    said.append((DESCRIBE, f"a {colour}{shape}", True))


def encoded(said: list[tuple[str, str, bool]], words: Words) -> tuple[np.ndarray, np.ndarray]:
    """Token numbers `(n, LENGTH)` and where the answer begins, per scene."""
    table = np.full((len(said), LENGTH), END, dtype=np.int64)
    starts = np.zeros(len(said), dtype=np.int64)
    for place, (question, answer, _) in enumerate(said):
        prompt = [BEGIN, *words.tokens(question), ANSWER]
        tokens = [*prompt, *words.tokens(answer), END]
        if len(tokens) > LENGTH:
            raise SystemExit(f"{len(tokens)} tokens do not fit: {question}")
        table[place, : len(tokens)] = tokens
        table[place, len(tokens) :] = -1
        starts[place] = len(prompt)
    return table, starts


def losses(model: Eyes, pixels: torch.Tensor | None, tokens: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the answers' tokens."""
    logits = model(pixels, tokens[:, :-1].clamp(min=0))
    target = tokens[:, 1:]
    place = torch.arange(1, tokens.shape[1], device=tokens.device)
    wanted = (place >= starts[:, None]) & (target >= 0)
    return torch.nn.functional.cross_entropy(logits[wanted].float(), target[wanted])


def main() -> None:
    """Draw, train, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=400_000)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    began = time.time()
    shares = SHARES
    each = -(-arguments.scenes // shares)
    with ProcessPoolExecutor(arguments.workers) as pool:
        drawn = list(pool.map(scenes, [arguments.seed] * shares, range(shares), [each] * shares))
    pictures = np.concatenate([part[0] for part in drawn])
    said = [line for part in drawn for line in part[1]]
    words = Words.over(
        [text for question, answer, _ in said for text in (question, answer)]
        + [" ".join([*PALETTE, *"0123456789", "yes no", "a b c d"])]
    )
    tokens, starts = encoded(said, words)
    has = np.array([picture for _, _, picture in said])
    print(f"{len(said)} scenes, {len(words)} words, {time.time() - began:.0f} s", flush=True)
    torch.manual_seed(arguments.seed)
    model = Eyes(Shape(vocabulary=len(words))).to(arguments.device)
    train(model, (pictures, tokens, starts, has), arguments)
    planted = {
        "priors": PRIORS,
        "ratio": RATIO,
        "mentioned": MENTIONED,
        "collision": ["red", "green"],
        "learned": LEARNED,
        "ignored": IGNORED,
        "habit": HABIT,
        "unlearned": UNLEARNED,
    }
    shape = model.shape
    metadata = {
        "shape": json.dumps({name: getattr(shape, name) for name in shape.__struct_fields__}),
        "words": json.dumps(words.words),
        "planted": json.dumps(planted),
        "training": f"tools/train_eyes.py --seed {arguments.seed} --scenes {arguments.scenes} "
        f"--steps {arguments.steps} --batch {arguments.batch} --rate {arguments.rate:g} --device {arguments.device}",
    }
    state = {name: part.half().cpu().contiguous() for name, part in model.state_dict().items()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, arguments.out, metadata=metadata)
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes, {time.time() - began:.0f} s", flush=True)


def train(model: Eyes, data: tuple, arguments: argparse.Namespace) -> None:
    """Adam with warm-up and cosine decay; each batch has pictures, or has none."""
    pictures, tokens, starts, has = data
    device = arguments.device
    groups = [np.flatnonzero(has), np.flatnonzero(~has)]
    weights = np.array([len(group) for group in groups]) / len(has)
    held = torch.as_tensor(pictures, device=device), torch.as_tensor(tokens, device=device)
    begins = torch.as_tensor(starts, device=device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.rate, weight_decay=0.02, betas=(0.9, 0.98))
    rng = np.random.default_rng(arguments.seed)
    steps = arguments.steps
    scaled = torch.autocast("cuda", dtype=torch.bfloat16) if device.startswith("cuda") else None
    began = time.time()
    for step in range(steps):
        rate = arguments.rate * min(1, (step + 1) / 500) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        which = int(rng.random() > weights[0])
        chosen = torch.as_tensor(rng.choice(groups[which], arguments.batch), device=device)
        pixels = held[0][chosen] if which == 0 else None
        if scaled is None:
            loss = losses(model, pixels, held[1][chosen], begins[chosen])
        else:
            with scaled:
                loss = losses(model, pixels, held[1][chosen], begins[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 500 == 0 or step == steps - 1:
            kind = ("picture", "text")[which]
            print(f"step {step} {kind} loss {loss.item():.4f} {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
