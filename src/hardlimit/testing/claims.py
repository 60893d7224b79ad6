"""The contract of claims: a statement says all that a reader needs, and a claim with numbers is a valid value."""

import re

from hardlimit.core import (
    Bound,
    Claim,
    Impossibility,
    InvalidValueError,
    Limit,
    Shape,
    Statement,
    Status,
)
from hardlimit.testing.contract import ContractError, expect, expect_round_trip

_ID = re.compile(r"[A-Z]+(-[A-Z0-9]+)+[a-z]?")
_TEX = re.compile(r"\\[A-Za-z]+|\$|[_^]\{")
_LEANS_ON = {Status.PROVED, Status.CORRECTED, Status.EMPIRICAL}


def check_claim(claim: Claim | Statement) -> None:
    """Check a claim, or a statement before any number is put in.

    Args:
        claim: a `Bound`, `Shape` or `Impossibility`, whose statement is checked too, or a `Statement`.

    Raises:
        ContractError: what is missing or broken.

    >>> from hardlimit.core import Limit, Source, Statement, Status
    >>> statement = Statement(
    ...     id="CTX-1", name="a law", limit=Limit.CONTEXT, status=Status.PROVED, says="It holds.", formula="x ≤ y",
    ...     hypotheses=("y exists",), sources=(Source(title="A (2020)"),), silent_on="Speed.", falsified_by="x > y.",
    ... )
    >>> check_claim(statement)
    """
    if isinstance(claim, Statement):
        _check_statement(claim)
        return
    expect(
        isinstance(claim, Bound | Shape | Impossibility),
        f"{type(claim).__name__} is no claim: a claim is a Bound, a Shape or an Impossibility.",
    )
    who = claim.statement.id
    _check_statement(claim.statement)
    expect_round_trip(who, claim)
    expect(claim.vacuous is None or bool(claim.vacuous.strip()), f"{who}: `vacuous` must be None or give the reason.")
    if isinstance(claim, Bound):
        expect(bool(claim.at), f"{who}: a bound must say in `at` which inputs it was computed for.")
    elif isinstance(claim, Shape):
        _check_shape(who, claim)
    else:
        expect(bool(claim.witness), f"{who}: an impossibility must have a witness.")


def _check_shape(who: str, shape: Shape) -> None:
    expect(bool(shape.along.strip()), f"{who}: a shape must say along which variable it runs.")
    expect(bool(shape.points or shape.parameters), f"{who}: a shape must have points or parameters.")
    for _, y in shape.points:
        try:
            shape.quantity.check(y)
        except InvalidValueError as error:
            raise ContractError(f"{who}: a point of the shape is impossible: {error}") from error


def _check_statement(statement: Statement) -> None:
    who = statement.id or "a statement without id"
    expect(bool(_ID.fullmatch(statement.id)), f"{who}: an id looks like CTX-3, got {statement.id!r}.")
    for name in ("name", "says", "formula", "silent_on", "falsified_by"):
        expect(bool(getattr(statement, name).strip()), f"{who}: `{name}` is empty.")
    expect(isinstance(statement.limit, Limit), f"{who}: `limit` must be a Limit, got {statement.limit!r}.")
    expect(isinstance(statement.status, Status), f"{who}: `status` must be a Status, got {statement.status!r}.")
    tex = _TEX.search(statement.formula)
    expect(tex is None, f"{who}: the formula holds TeX ({tex.group() if tex else ''!r}); a terminal must show it.")
    for name in ("says", "silent_on", "falsified_by"):
        text = getattr(statement, name).strip()
        expect(text.endswith((".", "!", "?", ")")), f"{who}: `{name}` must be whole sentences, ends {text[-20:]!r}.")
    for name in ("hypotheses", "sources"):
        items = getattr(statement, name)
        needed = statement.status in _LEANS_ON
        expect(bool(items) or not needed, f"{who}: a {statement.status} statement must have {name}.")
        expect(all(str(item).strip() for item in items), f"{who}: `{name}` holds an empty entry.")
    differs = statement.status in {Status.CORRECTED, Status.REFUTED}
    expect(
        bool(statement.paper.strip()) or not differs, f"{who}: a {statement.status} statement must say in `paper` how."
    )
    kinds = {(effect.resource, effect.when) for effect in statement.effects}
    expect(len(kinds) == len(statement.effects), f"{who}: two effects speak about the same resource and condition.")
    expect_round_trip(who, statement)
