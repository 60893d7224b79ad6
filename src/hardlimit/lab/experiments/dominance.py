"""Dominance: when does a picture overturn what its caption says, and what moves it (MM-4, MM-5, MM-6)?"""

from collections.abc import Sequence

from hardlimit.core import (
    Estimate,
    Finding,
    Interval,
    Measurement,
    Point,
    Scalar,
    Standing,
    stand,
)
from hardlimit.core.quantity import (
    ACCURACY,
    ACCURACY_SHIFT,
    CAPTION_INFORMATION,
    CHANNEL_FOLLOWED,
    CHANNEL_SWAP,
    FLIP_RATE,
    GRADIENT_SHARE,
    LEARNING_TIME,
    LIKELIHOOD_RATIO,
    VISUAL_MASS,
)
from hardlimit.lab.bench import Bench
from hardlimit.lab.experiment import (
    Cell,
    Conclusion,
    Design,
    Experiment,
    Row,
    Scale,
    column,
    curve,
    mean,
    share,
    values,
    where,
)
from hardlimit.lab.experiments.crowding import interval_within
from hardlimit.lab.experiments.turning import (
    BROAD,
    DROPPED,
    HALF,
    LONG,
    LONGER,
    NARROW,
    NATURAL,
    RIVAL,
    TWINS,
    WIDE,
    Learned,
    accuracy_at,
    beside,
    bounded,
    by_seed,
    divergence,
    early_gradient,
    ends,
    gain,
    geometric,
    gradient_share,
    in_points,
    learned,
    phases,
    posterior_gap,
    ranged,
    strengths,
    told,
    turning,
    verdicts,
)
from hardlimit.lab.training import Training, Watch
from hardlimit.lab.transformer import Architecture
from hardlimit.lab.worlds.channels import (
    CHANNELS,
    DIETS,
    LOOKS,
    RATIOS,
    Scenes,
    bayes_right,
    measured_channels,
    reading,
)
from hardlimit.stats import n_for_width
from hardlimit.theory import multimodal as theory
from hardlimit.theory.bounding import at_least

START = 0.01
"""Size of a mode before training, for MM-5: the value of its worked example."""

BITS = 0.02
"""Bits per caption within which a model has taken all that the caption carries."""


class Dominance(Experiment):
    """A picture against its caption."""

    name = "dominance"
    says = "When does a picture overturn what its caption says, and what moves that?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        task, plan = Scenes(RIVAL), self._plan(scale)
        priors = ", ".join(f"{prior:g}" for prior in self._priors(scale))
        return Design(
            question="A model that sees a picture and reads a caption often answers by the caption. Is that Bayes' "
            "rule, or was the picture not learned; and does rebalancing at equal training tokens move it?",
            claims=("MM-4", "MM-5", "MM-6"),
            setting=f"{task.objects} of {task.shapes} shapes, each in one of two colours. The picture has a token per "
            f"object: shape, sharpness (likelihood ratios {RATIOS[0]} to {RATIOS[-1]} for the colour seen) and colour. "
            f"The caption has a word per object whose colour is right with chance p: {priors}. Then a shape is asked "
            f"for. One block of width {NARROW} with 2 heads; {plan.steps:,} steps of {plan.batch} sequences. At "
            f"p = {RIVAL}, at equal tokens: captions that tell no colour in half of the sequences, and counterfactual "
            "twins (picture swapped, caption kept) for half of them; in the full run also natural sequences alone, "
            f"{LONGER} times as long or at width {BROAD}. A picture wins from the likelihood ratio at which half of "
            "the answers are as seen where the caption says otherwise, read between ratios on a log scale. A mode's "
            "strength in MM-5 is the norm of the correlation of the channel's tokens with the answer. Sizes, steps, "
            "this norm, and the learning rate of each width (by its loss) were chosen on runs with other seeds.",
            size=f"{len(scale.members)} models per setting, compared seed by seed; {self._cases(scale)} cases per "
            f"model and likelihood ratio, {4 * self._cases(scale)} for accuracies.",
            would_refute="Pictures that win with clearly less evidence than p/(1 − p), or a head that moves further "
            "than its bound (MM-4); the weaker channel learned first, or at another time than its strength says "
            "(MM-5); a shift of accuracy above √(KL/2), or captions that yield other than their bits (MM-6); "
            "rebalanced models that follow the caption as often.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per prior, and one per way to move the strongest."""
        plain: dict[str, Scalar] = {"diet": NATURAL, "model": NATURAL, "times": 1, "width": NARROW, "rate": 5e-3}
        others: dict[str, dict[str, Scalar]] = {
            "dropped": {"diet": DROPPED, "model": DROPPED},
            "counterfactual": {"diet": TWINS, "model": TWINS},
            "longer": {"model": LONG, "times": LONGER},
            "wider": {"model": WIDE, "width": BROAD, "rate": 1.25e-3},
        }
        chosen = list(others)[scale.choose(1, 0, 0) : scale.choose(2, 2, 4)]
        return (
            *(Cell(name=f"prior-{prior:g}", settings=plain | {"prior": prior}) for prior in self._priors(scale)),
            *(Cell(name=name, settings=plain | {"prior": RIVAL} | others[name]) for name in chosen),
        )

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Train with looks on the way, then see what each channel does."""
        prior, diet = float(cell.settings["prior"]), cell.settings["diet"]
        task = next(Scenes(prior, name) for name in DIETS if name == diet)
        plan, seeds = self._plan(scale, int(cell.settings["times"]), float(cell.settings["rate"])), scale.members
        tasks = [task] * len(seeds)
        shape = Architecture(
            vocabulary=task.vocabulary,
            layers=1,
            width=int(cell.settings["width"]),
            positions="none",
            hidden=2,
            tied=False,
        )
        count = scale.choose(4, 16, 24)
        steps = sorted({max(1, round(plan.steps * (k / count) ** 2)) for k in range(1, count + 1)})
        watch = Watch(frozenset(steps), lambda there: reading(there, tasks, self._cases(scale), 10))
        family, trained = bench.train(cell.name, shape, tasks, plan, seeds, watch)
        names = ("caption", "picture", "gradient_picture", "gradient_caption")
        rows: list[Row] = [
            {
                "part": "course",
                "seed": seed,
                "step": step,
                **{n: round(x, 5) for n, x in zip(names, numbers, strict=True)},
            }
            for step, members in zip(steps, trained.seen, strict=True)
            for seed, numbers in zip(seeds, members, strict=True)
        ]
        rows += measured_channels(family, tasks, self._cases(scale))
        return [{"model": cell.settings["model"], "prior": prior, **row} for row in rows]

    @staticmethod
    def _priors(scale: Scale) -> tuple[float, ...]:
        return (0.5, 0.7, 0.9, 0.97, RIVAL) if scale.extent == "full" else (0.5, 0.9, RIVAL)

    @staticmethod
    def _plan(scale: Scale, times: int = 1, rate: float = 5e-3) -> Training:
        return Training(steps=times * scale.choose(12, 700, 1500), batch=scale.choose(32, 128, 128), rate=rate)

    @staticmethod
    def _cases(scale: Scale) -> int:
        return scale.choose(16, 128, n_for_width(0.1))

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set turning points, learning times, bits and shifts beside the claims."""
        dial, rival = where(rows, model=NATURAL), where(rows, prior=RIVAL)
        priors = [float(prior) for prior in values(dial, "prior") if float(prior) > 0.5]
        turns = {str(model): turning(where(rival, model=model, part="flip")) for model in values(rival, "model")}
        floors = [self._floor(where(dial, prior=prior), prior, scale) for prior in priors]
        others = [self._floor(where(rival, model=model), RIVAL, scale) for model in turns if model != NATURAL]
        learning = self._learning(where(dial, part="course"), priors[0], scale)
        shifts = [self._shift(where(rival, model=model), scale) for model in (NATURAL, TWINS)]
        gained, lost = gain(rival, TWINS)
        longer = f"After {LONGER} times the tokens from {told(turns[LONG])}. " if LONG in turns else ""
        return Conclusion(
            headline=f"At p = {RIVAL} the picture overturns its caption from a likelihood ratio of "
            f"{told(turns[NATURAL])} on, where Bayes' rule asks for {theory.ratio_needed(RIVAL):.0f}. {longer}After "
            f"counterfactual twins, at equal tokens, from {told(turns[TWINS])}: they answer {in_points(gained)} right "
            f"where the caption is false and {in_points(lost)} where it is true. {learning[-1].says}",
            findings=(*floors, *others, self._influence(rows, scale), *learning, self._bits(dial, scale), *shifts),
            measurements=(
                self._flips(dial, "flips", scale),
                self._flips(rival, "rebalanced", scale),
                self._ablated(dial, scale),
                self._swaps(dial, scale),
                self._gradients(dial, scale),
                self._course(rival, scale),
                self._attention(dial, scale),
            ),
            verdicts=verdicts(where(rows, prior=RIVAL)),
            cautions=(
                "The prior sits in a caption that is read by attention, as the picture is; what a language model knows "
                "of the world without being told is not modelled.",
                f"A picture that never wins counts as winning at a ratio of {RATIOS[-1]}, one that always does at "
                f"{RATIOS[0]}; a channel not learned by the end counts as learned then.",
                f"MM-5's times are those of modes that start at {START}; the start enters by its logarithm.",
                "AdamW scales gradients up where they are small, which linear modes under gradient descent do not; it "
                "may hide a part of what a weak channel loses.",
            ),
        )

    def _flips(self, rows: Sequence[Row], what: str, scale: Scale) -> Measurement:
        """Answers as seen against the caption, by evidence."""
        along = "model" if what == "rebalanced" else "caption"
        named = [row | {"caption": f"p = {row['prior']:g}"} for row in where(rows, part="flip")]
        parameters: dict[str, Scalar] = {}
        for name in values(named, along):
            own = where(named, **{along: name})
            parameters |= ranged(f"wins_from.{name}", turning(own))
            if name != TWINS:
                parameters[f"chance_gap.{name}"] = round(posterior_gap(own), 4)
        note = "By the likelihood ratio of what the picture shows; the caption says the other colour. chance_gap: how "
        note += "far the mean chance given to the colour shown lies from Bayes' at most."
        flips = curve([row | {"likelihood_ratio": row["ratio"]} for row in named], [along, "likelihood_ratio"])
        return self.measurement(what, FLIP_RATE, scale, points=flips, parameters=parameters, note=note)

    def _floor(self, rows: Sequence[Row], prior: float, scale: Scale) -> Finding:
        """The evidence at which the picture wins beside what Bayes' rule needs."""
        model, turn = str(rows[0]["model"]), turning(where(rows, part="flip"))
        # Twins show each caption as often with a false colour as with a true one: to them it is worth nothing.
        held = 0.5 if model == TWINS else prior
        claim = theory.evidence_floor(held)
        name = f"p = {prior:g}" + ("" if model == NATURAL else f", {model}")
        standing = beside(turn, claim.value)
        more = ", more than the prior accounts for" if standing is Standing.CLEAR_OF_BOUND else ""
        return Finding(
            claim=claim,
            measurement=self.measurement(f"wins: {name}", LIKELIHOOD_RATIO, scale, estimate=turn),
            standing=standing,
            says=f"{name}: the picture wins from a likelihood ratio of {told(turn)} on{more}; Bayes' rule needs "
            f"{claim.value:.3g} against a prior of {held:g}.",
        )

    def _influence(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The read that moved furthest for its share beside the share that this takes."""
        reads = where(rows, part="attention")
        tight = max(reads, key=lambda row: float(row["tight_move"]) / max(float(row["tight_mass"]), LOOKS))
        mass, move = float(tight["tight_mass"]), float(tight["tight_move"])
        claim = at_least(theory.MM_4, VISUAL_MASS, min(move, 1.0), at={"moved": move})
        exact = Interval(low=mass, high=mass, level=0.95, method="one head's read, exact")
        measured = self.measurement("influence", VISUAL_MASS, scale, estimate=Estimate(value=mass, interval=exact, n=1))
        rival = where(rows, model=NATURAL, prior=RIVAL)
        looked = bounded(mean(column(where(rival, part="attention"), "mass")))
        swapped = share(where(rival, part="swap", channel="picture"))
        return Finding(
            claim=claim,
            measurement=measured,
            standing=stand(claim, measured),
            says=f"Of the reads that look at the picture and had it exchanged, the one that moved furthest for its "
            f"share moved {move:.3f} of twice the longest value, with {mass:.3f} of its attention on the picture; no "
            f"read may move further. A share is no importance: at p = {RIVAL} {looked.value:.0%} of the attention is "
            "on the picture, "
            f"and turning it into its opposite changes {swapped.value:.0%} of the answers.",
        )

    def _learning(self, rows: Sequence[Row], weakest: float, scale: Scale) -> tuple[Finding, ...]:
        """Times at which channels are half learned beside what strengths of modes say."""

        def of(channel: str, prior: float) -> Learned:
            strength = strengths(prior)[CHANNELS.index(channel)]
            seeds = [where(rows, prior=prior, seed=seed) for seed in values(rows, "seed")]
            never = sum(column(own, channel).max() < HALF for own in seeds)
            return Learned(f"the {channel} at p = {prior:g}", strength, [learned(own, channel) for own in seeds], never)

        early = {prior: [early_gradient(own) for own in by_seed(where(rows, prior=prior))] for prior in (0.5, RIVAL)}
        starved = geometric([a / b for a, b in zip(early[RIVAL], early[0.5], strict=True)])
        reached = f" Early, {told(starved)} times the gradient reaches the picture that does without a rival."
        return (
            self._later(of("caption", weakest), of("caption", RIVAL), scale),
            self._later(of("picture", weakest), of("caption", weakest), scale),
            self._later(of("picture", RIVAL), of("caption", RIVAL), scale),
            self._later(of("picture", RIVAL), of("picture", 0.5), scale, reached),
        )

    def _later(self, one: Learned, other: Learned, scale: Scale, more: str = "") -> Finding:
        """How much later the one is learned than the other."""
        late = geometric([a / b for a, b in zip(one.steps, other.steps, strict=True)])
        claim = theory.learning_time(one.strength, START, 1 / float(theory.half_time(other.strength, START)))
        standing = Standing.AGREES if claim.value in late.interval else Standing.DISAGREES
        if other.never or (one.never and claim.value >= ends(late)[0]):
            standing = Standing.UNDETERMINED
        tail = f" ({one.never} of {len(one.steps)} never were, and count as learned at the end)" if one.never else ""
        name = f"{one.name} over {other.name}".replace("the ", "").replace(" at p =", "")
        return Finding(
            claim=claim,
            measurement=self.measurement(f"learning: {name}", LEARNING_TIME, scale, estimate=late),
            standing=standing,
            says=f"{one.name.capitalize()} is half learned after {told(late)} times the steps of {other.name}{tail}; "
            f"their strengths, {one.strength:.3f} and {other.strength:.3f}, say {claim.value:.2f} times.{more}",
        )

    def _bits(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """What the answers know from the caption alone beside what it carries."""
        prior = 0.9
        blank = where(rows, part="blank", prior=prior)
        bits = mean(column(blank, "bits"), int(column(blank, "n").sum()))
        claim = theory.caption_bits(0.5, prior, 1 - prior)
        return Finding(
            claim=claim,
            measurement=self.measurement("bits", CAPTION_INFORMATION, scale, estimate=bits),
            standing=interval_within(bits.interval, claim.value, BITS),
            says=f"p = {prior:g}, the picture blank: answers carry {told(bits, '.3f')} bits of the "
            f"{claim.value:.3f} that the caption carries.",
        )

    def _shift(self, rows: Sequence[Row], scale: Scale) -> Finding:
        """The accuracy lost when captions become coins beside what the divergence allows."""
        model, there = str(rows[0]["model"]), where(rows, part="accuracy")
        drop = mean([a - b for a, b in zip(*(accuracy_at(there, true) for true in (RIVAL, 0.5)), strict=True)])
        claim = theory.shift_ceiling(divergence(RIVAL))
        measured = self.measurement(f"shift_{model}", ACCURACY_SHIFT, scale, estimate=bounded(drop))
        return Finding(
            claim=claim,
            measurement=measured,
            standing=stand(claim, measured, margin=0.05),
            says=f"{model.capitalize()}: where captions turn from right with chance {RIVAL} into coins, accuracy loses "
            f"{in_points(drop)}, of at most {100 * (RIVAL - 0.5):.0f} points by total variation and "
            f"{100 * claim.value:.0f} by the divergence.",
        )

    def _ablated(self, rows: Sequence[Row], scale: Scale) -> Measurement:
        """Accuracy with both channels, with a blank picture, and with captions that are coins."""
        points_, parameters = [], dict[str, Scalar]()
        for prior in map(float, values(rows, "prior")):
            own = where(rows, prior=prior)
            there = where(own, part="accuracy")
            both, coin = (mean(accuracy_at(there, true)) for true in (prior, 0.5))
            made = {"both": both, "blank picture": share(where(own, part="blank")), "coin captions": coin}
            points_ += [Point(at={"prior": prior, "input": name}, estimate=bounded(e)) for name, e in made.items()]
            names = ("both", "caption", "picture")
            parameters |= {
                f"bayes.{name}.{prior:g}": round(x, 4) for name, x in zip(names, bayes_right(prior), strict=True)
            }
        note = "Bayes' rule from either channel alone and from both: the parameters."
        return self.measurement("ablation", ACCURACY, scale, points=points_, parameters=parameters, note=note)

    def _swaps(self, rows: Sequence[Row], scale: Scale) -> Measurement:
        """Answers that change when one channel says the opposite."""
        return self.measurement(
            "swaps", CHANNEL_SWAP, scale, points=curve(where(rows, part="swap"), ["channel", "prior"])
        )

    def _gradients(self, rows: Sequence[Row], scale: Scale) -> Measurement:
        """The caption's share of the gradient along training, and how it changes."""
        named: list[Row] = [
            row | {"caption": f"p = {row['prior']:g}", "share": gradient_share(row)}
            for row in where(rows, part="course")
        ]
        parameters: dict[str, Scalar] = {}
        for name in values(named, "caption"):
            early, late = phases(where(named, caption=name))
            parameters |= ranged(f"early.{name}", bounded(early)) | ranged(f"late.{name}", bounded(late))
        shares = curve(named, ["caption", "step"], lambda r: bounded(mean(column(r, "share"))))
        note = "Early: from 2 % to 10 % of the steps. Late: the last quarter."
        return self.measurement("gradients", GRADIENT_SHARE, scale, points=shares, parameters=parameters, note=note)

    def _course(self, rows: Sequence[Row], scale: Scale) -> Measurement:
        """How much of either channel was learned when, at the strongest prior."""
        named: list[Row] = [
            {"answers": f"by the {channel}, {row['model']}", "step": row["step"], "followed": row[channel]}
            for model in (NATURAL, TWINS)
            for channel in CHANNELS
            for row in where(rows, part="course", model=model)
        ]
        followed = curve(named, ["answers", "step"], lambda r: bounded(mean(column(r, "followed"))))
        return self.measurement("course", CHANNEL_FOLLOWED, scale, points=followed)

    def _attention(self, rows: Sequence[Row], scale: Scale) -> Measurement:
        """The picture's share of attention, by the prior of its caption."""
        shares = curve(where(rows, part="attention"), ["prior"], lambda r: bounded(mean(column(r, "mass"))))
        task = Scenes(RIVAL)
        note = f"Half of the {2 * task.objects} tokens before the question are the picture's."
        return self.measurement("attention", VISUAL_MASS, scale, points=shares, note=note)
