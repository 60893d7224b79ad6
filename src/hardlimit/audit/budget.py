"""What an audit may spend, and how much of it is spent."""

import re
from decimal import Decimal
from fractions import Fraction
from typing import Self

from hardlimit.core import BudgetError, InvalidValueError, Usage, Value

EXAMPLES = "Write it like 10m, 90s, 1h, 200k-tokens, 1.5M-tokens, $2, several with commas between, or unlimited."

_NUMBER = r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,12})?)"
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_TOKENS = {"": 1, "k": 1_000, "K": 1_000, "M": 1_000_000}
_TIME = re.compile(_NUMBER + r"(?P<unit>[smh])")
_TOKEN = re.compile(_NUMBER + r"(?P<unit>[kKM]?)-tokens?")
_DOLLAR = re.compile(r"\$" + _NUMBER)


class Budget(Value, frozen=True):
    """A limit on what may be spent; None is no limit.

    >>> Budget.parse("10m,$2")
    Budget(seconds=600.0, tokens=None, dollars=2.0)
    >>> str(Budget.parse("600s, 200000-tokens"))
    '10m,200k-tokens'
    >>> Budget.parse("0m")
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.BudgetError: A budget of '0m' lets nothing be asked; it has to be more than zero. Write ...

    Args:
        seconds: of model time, > 0.
        tokens: computed by the model (prompt tokens taken from a cache are free), > 0.
        dollars: as the replies state their price, > 0.
    """

    seconds: float | None = None
    tokens: int | None = None
    dollars: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(amount is not None and amount <= 0 for amount in (self.seconds, self.tokens, self.dollars)):
            raise BudgetError(_too_little(str(self)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a budget as people write it.

        Args:
            text: `unlimited`, or one to three of a time (`90s`, `10m`, `1h`), a number of tokens (`200k-tokens`,
                `1.5M-tokens`) and an amount of money (`$2`), with commas between.

        Raises:
            BudgetError: it cannot be read, names a unit twice, or allows nothing.
        """
        if text.strip() == "unlimited":
            return cls()
        amounts: dict[str, float] = {}
        for part in text.split(","):
            unit, amount = _amount(part.strip(), text)
            if unit in amounts:
                raise BudgetError(f"A budget of {text!r} names {unit} twice. {EXAMPLES}")
            if amount <= 0:
                raise BudgetError(_too_little(text))
            amounts[unit] = amount
        tokens = amounts.get("tokens")
        return cls(
            seconds=amounts.get("seconds"),
            tokens=None if tokens is None else int(tokens),
            dollars=amounts.get("dollars"),
        )

    def __str__(self) -> str:
        parts = []
        if self.seconds is not None:
            parts.append(_written(self.seconds, _SECONDS))
        if self.tokens is not None:
            parts.append(_written(self.tokens, {"": 1, "k": 1_000, "M": 1_000_000}) + "-tokens")
        if self.dollars is not None:
            parts.append("$" + _written(self.dollars, {"": 1}))
        return ",".join(parts) or "unlimited"


def _amount(part: str, whole: str) -> tuple[str, float]:
    if match := _TIME.fullmatch(part):
        return "seconds", float(Decimal(match["number"]) * _SECONDS[match["unit"]])
    if match := _TOKEN.fullmatch(part):
        return "tokens", int(Decimal(match["number"]) * _TOKENS[match["unit"]])
    if match := _DOLLAR.fullmatch(part):
        return "dollars", float(match["number"])
    if re.match(r"(-\$?|\$-)[0-9]", part):
        raise BudgetError(_too_little(whole))
    raise BudgetError(f"A budget of {whole!r} cannot be read. {EXAMPLES}")


def _too_little(text: str) -> str:
    return f"A budget of {text!r} lets nothing be asked; it has to be more than zero. {EXAMPLES}"


def _written(amount: float, units: dict[str, int]) -> str:
    """Write an amount in the largest unit in which it is a whole number."""
    exact = Decimal(repr(amount))
    unit = next((unit for unit, size in reversed(units.items()) if exact % size == 0), next(iter(units)))
    return format((exact / units[unit]).normalize(), "f") + unit


class Meter:
    """Adds up what replies cost, and says when a budget is spent.

    Time is the replies' own: the `seconds` that each recorded when the model computed it. It is not the wall clock,
    and leaves out what the audit itself needs (loading a model, statistics, drawing). So an answer from the store costs
    what it cost when it was asked, and a run that was interrupted, or is repeated, spends the same and decides the same
    as one that went through at once; by the wall clock it could ask for more each time. The price: `10m` means ten
    minutes of asking, and the audit takes longer than that by its own overhead and by the questions that were under way
    when the budget ran out.

    Sums are exact, so that they do not depend on the order of the replies.

    >>> meter = Meter(Budget.parse("1k-tokens"))
    >>> meter.add(Usage(prompt_tokens=400, cached_tokens=100, completion_tokens=50))
    >>> meter.left_share, meter.exhausted
    (0.65, False)
    >>> part = meter.share(0.5)
    >>> part.add(Usage(prompt_tokens=325))
    >>> part.exhausted, meter.exhausted, meter.spent.computed_tokens
    (True, False, 675)
    """

    def __init__(self, budget: Budget) -> None:
        limits = {"seconds": budget.seconds, "tokens": budget.tokens, "dollars": budget.dollars}
        self._limits = {name: Fraction(limit) for name, limit in limits.items() if limit is not None}
        self._sums = dict.fromkeys(("seconds", "tokens", "dollars"), Fraction(0))
        self._counts = dict.fromkeys(("prompt_tokens", "cached_tokens", "completion_tokens", "calls"), 0)
        self._priced = False
        self._parent: Meter | None = None

    def add(self, usage: Usage) -> None:
        """Count what one reply cost, here and in the meter that this one is a share of.

        Raises:
            BudgetError: the budget is in dollars, and the reply does not state its price.
        """
        if "dollars" in self._limits and usage.dollars is None and usage.computed_tokens > 0:
            raise BudgetError(
                "A budget in dollars needs replies that state their price, and this model's do not. "
                "Give the budget in time or tokens, such as 10m or 200k-tokens."
            )
        for name in self._counts:
            self._counts[name] += getattr(usage, name)
        self._sums["seconds"] += Fraction(usage.seconds)
        self._sums["tokens"] += usage.computed_tokens
        self._sums["dollars"] += Fraction(usage.dollars or 0)
        self._priced |= usage.dollars is not None
        if self._parent is not None:
            self._parent.add(usage)

    @property
    def spent(self) -> Usage:
        """Totals so far; `dollars` is None where no reply stated a price."""
        return Usage(
            **self._counts,
            seconds=float(self._sums["seconds"]),
            dollars=float(self._sums["dollars"]) if self._priced else None,
        )

    @property
    def left_share(self) -> float:
        """Share of the budget that is left, in [0, 1]: of the part that is nearest its end; 1 where unlimited."""
        if self.exhausted:
            return 0.0
        return float(min((1 - self._sums[name] / limit for name, limit in self._limits.items()), default=1))

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may be asked: a part of this budget, or of the one it is a share of, is spent."""
        if self._parent is not None and self._parent.exhausted:
            return True
        return any(self._sums[name] >= limit for name, limit in self._limits.items())

    def share(self, part: float) -> Self:
        """Make a meter for a part of what is left, which also counts here.

        What a share leaves unspent flows on: with three jobs, give the first `share(1 / 3)`, when it is done the second
        `share(1 / 2)`, and the last `share(1)`. Each gets at least a third, and no job can starve another.

        Args:
            part: of what is left now, in (0, 1].
        """
        if not 0.0 < part <= 1.0:
            raise InvalidValueError(f"Meter.share needs a part in (0, 1], got {part}.")
        child = type(self)(Budget())
        child._parent = self
        child._limits = {
            name: max(limit - self._sums[name], Fraction(0)) * Fraction(part) for name, limit in self._limits.items()
        }
        return child
