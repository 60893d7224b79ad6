"""How numbers are written: by unit, with their interval; formatting only, nothing is computed here."""

from hardlimit.core import Estimate, Interval, Quantity, Scalar

MINUS = "−"
BINARY = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
COUNTS = frozenset({"tokens", "facts", "steps", "documents"})


def plain(value: float) -> str:
    """Write a number with three significant digits, or in full where it is a whole number.

    >>> plain(-0.04217), plain(12345.6), plain(3.0), plain(2.5e-9)
    ('−0.0422', '12,346', '3', '2.5×10⁻⁹')
    """
    size = abs(value)
    if size != 0 and (size < 1e-4 or size >= 1e15):
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}×10{str(int(exponent)).translate(SUPERSCRIPT)}"
    elif value == int(value) or size >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", MINUS)


def percent(share: float) -> str:
    """Write a share as a percentage; a share that is not 0 or 1 is never written as if it were.

    >>> percent(0.6128), percent(0.0004), percent(0.99996), percent(1.0), percent(0.0), percent(1e-30)
    ('61.3%', '0.04%', '99.996%', '100%', '0%', 'under 0.000001%')
    """
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    tenths = f"{100 * share:.1f}"
    if tenths not in {"0.0", "100.0"}:
        return f"{tenths}%".replace("-", MINUS)
    near_one = share > 0.5
    rest = 100 * (1 - share) if near_one else 100 * share
    digits = next((d for d in range(2, 7) if float(f"{rest:.{d}f}")), None)
    if digits is None:
        return "over 99.999999%" if near_one else "under 0.000001%"
    return f"{100 * share:.{digits}f}%".replace("-", MINUS)


def share_words(share: Estimate) -> str:
    """Write a share with its interval and n, in whole percent.

    >>> share_words(Estimate(value=0.5, interval=Interval(low=0.25, high=0.75, level=0.95, method="x"), n=12))
    '50 % (25–75, n = 12)'
    """
    low, high = share.interval.low or 0.0, 1.0 if share.interval.high is None else share.interval.high
    return f"{100 * share.value:.0f} % ({100 * low:.0f}–{100 * high:.0f}, n = {share.n:,})"


def points_words(difference: Estimate) -> str:
    """Write a difference of shares in points, with its interval.

    >>> points_words(Estimate(value=-0.25, interval=Interval(low=-0.4, high=-0.1, level=0.95, method="x"), n=12))
    '−25 points (−40 to −10)'
    """
    low, high = difference.interval.low, difference.interval.high
    span = f"{-100 if low is None else 100 * low:+.0f} to {100 if high is None else 100 * high:+.0f}"
    return f"{100 * difference.value:+.0f} points ({span})".replace("-", MINUS)


def p_words(p_value: float) -> str:
    """Write a p-value.

    >>> p_words(0.0312), p_words(0.00001), p_words(1.0)
    ('0.031', '< 0.001', '1')
    """
    return "< 0.001" if p_value < 0.001 else f"{p_value:.2g}"


def bytes_text(value: float) -> str:
    """Write a number of bytes with a binary prefix.

    >>> bytes_text(92160), bytes_text(512), bytes_text(17179869184)
    ('90 KiB', '512 bytes', '16 GiB')
    """
    for size, name in BINARY:
        if value >= size:
            return f"{plain(value / size)} {name}"
    return f"{plain(value)} bytes"


def number(value: float, quantity: Quantity) -> str:
    """Write a value of a quantity without the name of its unit (except where the unit sets the digits).

    >>> from hardlimit.core.quantity import ACCURACY, EFFECTIVE_CONTEXT
    >>> number(0.25, ACCURACY), number(1410.2, EFFECTIVE_CONTEXT)
    ('25.0%', '1,410')
    """
    if quantity.unit == "probability":
        return percent(value)
    if quantity.unit == "bytes":
        return bytes_text(value)
    if quantity.unit in COUNTS:
        return f"{value:,.0f}".replace("-", MINUS)
    return plain(value)


def with_unit(value: float, quantity: Quantity) -> str:
    """Write a value of a quantity with its unit, where that is a word.

    >>> from hardlimit.core.quantity import NEEDLE_MARGIN
    >>> with_unit(-1.5, NEEDLE_MARGIN)
    '−1.5 nats'
    """
    silent = {"probability", "bytes", "ratio", "exponent", "score"}
    return number(value, quantity) + ("" if quantity.unit in silent else f" {quantity.unit}")


def interval_text(interval: Interval, quantity: Quantity) -> str:
    """Write an interval; a side that the data do not bound is said in words.

    >>> from hardlimit.core.quantity import ACCURACY
    >>> interval_text(Interval(low=0.25, high=0.5, level=0.95, method="wilson"), ACCURACY)
    '[25.0%, 50.0%]'
    >>> interval_text(Interval(low=0.25, high=None, level=0.95, method="wilson"), ACCURACY)
    'at least 25.0%'
    """
    low, high = interval.low, interval.high
    if low is not None and high is not None:
        return f"[{number(low, quantity)}, {number(high, quantity)}]"
    if low is not None:
        return f"at least {number(low, quantity)}"
    if high is not None:
        return f"at most {number(high, quantity)}"
    return "not bounded by these data"


def basis(estimate: Estimate) -> str:
    """Say what an estimate rests on: n, and how many of them were artefacts.

    >>> basis(Estimate(value=0.5, interval=Interval(low=0, high=1, level=0.95, method="w"), n=1200, artefacts=3))
    'n = 1,200, 3 of them artefacts'
    """
    artefacts = f", {estimate.artefacts:,} of them artefacts" if estimate.artefacts else ", no artefacts"
    return f"n = {estimate.n:,}{artefacts}"


def scalar(value: Scalar) -> str:
    """Write a parameter.

    >>> scalar(True), scalar(2048), scalar(0.1234567), scalar("log-probability")
    ('yes', '2,048', '0.123', 'log-probability')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", MINUS)
    return plain(value) if isinstance(value, float) else value


def duration(seconds: float) -> str:
    """Write a time span.

    >>> duration(41.7), duration(581), duration(7261)
    ('42 s', '9 min 41 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
