"""Arithmetic: long numbers added or multiplied, with as many carries as asked for."""

import re
from typing import ClassVar, Literal, Self, TypeAlias

import msgspec
import numpy as np

from hardlimit.core import Case, InvalidValueError
from hardlimit.probes.reasoning.answering import Kind
from hardlimit.probes.reasoning.family import Family, Item, Setting, problem_of, unsolvable

Operation: TypeAlias = Literal["addition", "multiplication"]

MOST = 300
_WRONG = 3


class Arithmetic(Family, frozen=True):
    """Asks for the sum of two numbers of d digits, or for the product of one and a single digit.

    Columns that carry can be set apart from the number of digits: a model that adds digit by digit without carrying is
    right where nothing carries, however long the numbers are.

    Args:
        digits: of the numbers, d >= 1; the knob.
        carries: columns that carry, in [0, digits], or None for as many as chance brings.
        operation: `addition`, or `multiplication` by one digit from 2 to 9 (of at least 5 where a carry is forced).

    >>> case = Arithmetic(digits=6, carries=0).cases(seed=0, n=1)[0]
    >>> Arithmetic().solve(case) == case.gold[0]
    True
    """

    digits: int = 3
    carries: int | None = None
    operation: Operation = "addition"
    name: ClassVar[str] = "reasoning.arithmetic"
    unit: ClassVar[str] = "digits"
    levels: ClassVar[tuple[int, ...]] = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
    form: ClassVar[str] = "one number"
    kind: ClassVar[Kind] = "number"

    def _check(self) -> None:
        if not 1 <= self.digits <= MOST or (self.carries is not None and not 0 <= self.carries <= self.digits):
            raise InvalidValueError(
                f"Arithmetic needs digits in [1, {MOST}] and carries in [0, digits] or None, got "
                f"digits={self.digits}, carries={self.carries}."
            )

    @property
    def level(self) -> int:
        """Digits of the numbers."""
        return self.digits

    def at(self, level: int) -> Self:
        """The same with numbers of another length; a set number of carries keeps its share of the columns."""
        carries = None if self.carries is None else round(self.carries * level / self.digits)
        return msgspec.structs.replace(self, digits=level, carries=carries)

    @property
    def difficulty(self) -> float:
        """Digits of the numbers."""
        return float(self.digits)

    @property
    def chance(self) -> float:
        """Of hitting a number of this length at random: one digit too many or too few is wrong too."""
        return 1 / (9 * 10.0 ** (self.digits - 1)) if self.digits > 1 else 1 / 18

    def _tokens(self) -> int:
        return 64 + 40 * self.digits if self.scratchpad else 24 + 2 * self.digits

    def draw(self, rng: np.random.Generator) -> Item:
        """Draw two numbers whose columns carry as asked."""
        item = self._drawn(self._columns(rng), rng)
        while item is None:  # after a carry, a large factor leaves no column without one
            item = self._drawn(self._columns(rng), rng)
        return item

    def _drawn(self, carries: list[bool] | None, rng: np.random.Generator) -> Item | None:
        if self.operation == "addition":
            pairs = _addends(carries, self.digits, rng)
            left, right = (_number(column) for column in zip(*pairs, strict=True))
            total, steps = left + right, _adding(pairs)
            text, without = f"{left} + {right}", _digitwise([a + b for a, b in pairs])
        else:
            factor = int(rng.integers(5 if any(carries or ()) else 2, 10))
            column = _multiplicands(carries, self.digits, factor, rng)
            if column is None:
                return None
            left, right = _number(column), factor
            total, steps = left * factor, _multiplying(column, factor)
            text, without = f"{left} × {right}", _digitwise([a * factor for a in column])
        gold = str(total)
        what = "sum" if self.operation == "addition" else "product"
        return Item(
            facts="Calculate exactly.",
            question=f"What is {text}?",
            gold=gold,
            wrong=_misses(total, without, rng),
            steps=tuple(line for line, _ in steps),
            results=tuple(result for _, result in steps),
            withheld="Calculate exactly with two numbers that are not told.",
            blind=f"What is the {what} of {left} and another number?",
            shortcuts={"no carries": without, "first number": str(left), "second number": str(right)},
        )

    def prompt(self, item: Item, setting: Setting = "plain") -> str:
        """Word a problem; the numbers stand in the question, so that without the facts they go from there too."""
        if setting == "withheld":
            item = msgspec.structs.replace(item, question="What is the result?")
        return super().prompt(item, setting)

    def _columns(self, rng: np.random.Generator) -> list[bool] | None:
        """Which columns carry, from the right; None for any."""
        if self.carries is None:
            return None
        columns = [place < self.carries for place in range(self.digits)]
        return [columns[int(i)] for i in rng.permutation(self.digits)]

    def solve(self, case: Case) -> str:
        """Calculate what the prompt asks, in whole numbers."""
        _, question = problem_of(case)
        asked = re.match(r"What is (\d+) ([+×]) (\d+)\?", question)
        if asked is None:
            raise unsolvable(case, "it does not tell the numbers")
        left, right = int(asked.group(1)), int(asked.group(3))
        return str(left + right if asked.group(2) == "+" else left * right)


def carries_in(left: int, right: int, operation: Operation = "addition") -> int:
    """Count the columns that carry.

    >>> carries_in(95, 5), carries_in(123, 321), carries_in(25, 4, "multiplication")
    (2, 0, 2)
    """
    count = carry = 0
    while left or (right and operation == "addition"):
        column = left % 10 + right % 10 if operation == "addition" else (left % 10) * right
        carry = (column + carry) // 10
        count += carry > 0
        left //= 10
        right = right // 10 if operation == "addition" else right
    return count


def _addends(carries: list[bool] | None, digits: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Draw the columns from the right, evenly among those that carry as asked; no number begins with 0."""
    pairs = []
    carry = 0
    for place in range(digits):
        least = 1 if place == digits - 1 else 0
        possible = [
            (a, b)
            for a in range(least, 10)
            for b in range(least, 10)
            if carries is None or (a + b + carry >= 10) is carries[place]
        ]
        pairs.append(possible[int(rng.integers(len(possible)))])
        carry = (sum(pairs[-1]) + carry) // 10
    return pairs


def _multiplicands(carries: list[bool] | None, digits: int, factor: int, rng: np.random.Generator) -> list[int] | None:
    """Draw the digits from the right so that the columns carry as asked; None where they cannot go on."""
    column: list[int] = []
    carry = 0
    for place in range(digits):
        least = 1 if place == digits - 1 else 0
        possible = [a for a in range(least, 10) if carries is None or (a * factor + carry >= 10) is carries[place]]
        if not possible:
            return None
        column.append(possible[int(rng.integers(len(possible)))])
        carry = (column[-1] * factor + carry) // 10
    return column


def _number(column: list[int] | tuple[int, ...]) -> int:
    return int("".join(str(digit) for digit in reversed(column)))


def _digitwise(columns: list[int]) -> str:
    """What comes out when every column is written without its carry."""
    return str(int("".join(str(column % 10) for column in reversed(columns))))


def _adding(pairs: list[tuple[int, int]]) -> list[tuple[str, str]]:
    lines, carry = [], 0
    for a, b in pairs:
        total = a + b + carry
        carried = f" + {carry}" if carry else ""
        carry = total // 10
        rest = f", write {total % 10}" + (f", carry {carry}" if carry else "")
        lines.append((f"{a} + {b}{carried} = {total}{rest}", f"{total % 10}, carry {carry}"))
    return lines


def _multiplying(column: list[int], factor: int) -> list[tuple[str, str]]:
    lines, carry = [], 0
    for a in column:
        total = a * factor + carry
        carried = f" + {carry}" if carry else ""
        carry = total // 10
        rest = f", write {total % 10}" + (f", carry {carry}" if carry else "")
        lines.append((f"{a} × {factor}{carried} = {total}{rest}", f"{total % 10}, carry {carry}"))
    return lines


def _misses(total: int, without: str, rng: np.random.Generator) -> tuple[str, ...]:
    """Likely mistakes: the carries forgotten, one digit off, swapped ends."""
    found = [without]
    while len(set(found) - {str(total)}) < _WRONG:
        found.append(str(abs(total + int(rng.integers(-2, 3)) * 10 ** int(rng.integers(len(str(total)))))))
    return tuple(dict.fromkeys(miss for miss in found if miss != str(total)))[:_WRONG]
