"""What an architecture cannot do, before anything is run: the theory's bounds at a model's own sizes."""

import math
from typing import Literal

from hardlimit.core import Bound, InvalidValueError, Value
from hardlimit.core.quantity import KV_BYTES
from hardlimit.theory.architecture import Architecture
from hardlimit.theory.bounding import exactly
from hardlimit.theory.context.cost import CTX_6, attention_crossover
from hardlimit.theory.context.needle import context_ceiling, gap_needed, spread_allowed
from hardlimit.theory.context.precision import collapse
from hardlimit.theory.hallucination.longtail import documents_needed, exposure_floor
from hardlimit.theory.hallucination.memory import fact_error_floor, storable_facts
from hardlimit.theory.multimodal.dominance import image_share
from hardlimit.theory.reasoning.composition import composition_domain
from hardlimit.theory.reasoning.depth import hops_per_pass
from hardlimit.theory.retrieval.dimension import sufficient_width

Precision = Literal["bf16", "fp16", "fp32", "int8"]
BYTES = {"bf16": 2.0, "fp16": 2.0, "fp32": 4.0, "int8": 1.0}
_TOKENS_PER_DOCUMENT = 1000
_LEARNED_AFTER = 100
"""Exposures after which a fact is taken to be stored (about one bit per parameter; Allen-Zhu & Li, 2404.05405)."""


class Setting(Value, frozen=True):
    """What is to be done with a model.

    Args:
        context: tokens of context, >= 2; the model's window where None.
        facts: facts that it should know by heart, each one of 365 values, >= 1.
        documents: documents that an index of its embeddings should tell apart, >= 2.
        training_tokens: tokens of training; the published number where None.
        precision: number format of weights and cache.
        spread: nats within which all logits of an averaging head lie, >= 0.
    """

    context: int | None = None
    facts: float = 1e9
    documents: int = 1_000_000
    training_tokens: float | None = None
    precision: Precision = "bf16"
    spread: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        least = {"context": 2, "facts": 1, "documents": 2, "training_tokens": 1, "spread": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise InvalidValueError(f"{name} must be at least {low}, got {value:g}.")


class BoundRow(Value, frozen=True):
    """One line of the table: a question, the claim that answers it, and what it means for this model.

    Args:
        question: what a reader wants to know.
        claim: the bound at this model's sizes.
        says: the answer in one sentence.
    """

    question: str
    claim: Bound
    says: str


def architecture_bounds(model: Architecture, setting: Setting | None = None) -> tuple[BoundRow, ...]:
    """Compute what an architecture cannot do.

    Args:
        model: its sizes.
        setting: what is to be done with it; the defaults where None.

    Returns:
        The table, one row per question; rows that say nothing at this size carry the reason in `claim.vacuous`.

    >>> from hardlimit.theory.architecture import known_architectures
    >>> rows = architecture_bounds(known_architectures()["Llama-3.1-8B"])
    >>> rows[0].says
    'At 2 bits per parameter it holds at most 1.89 billion facts with 365 values each.'
    """
    setting = setting or Setting()
    context = setting.context or model.window
    if context > model.window:
        raise InvalidValueError(
            f"context must be at most the window of {model.name}, {model.window:,} tokens, got {context:,}."
        )
    rows = [
        _facts(model),
        _facts_beyond(model, setting),
        _rare_facts(model, setting),
        _needle(model, context),
        *_normed_needle(model),
        _collapse(model, setting, context),
        _kv(model, setting, context),
        _crossover(model, context),
        _hops(model),
        _composition(model, setting),
        _embedding(model, setting),
        *_image(model, context),
    ]
    return tuple(rows)


def _facts(model: Architecture) -> BoundRow:
    claim = storable_facts(model.parameters)
    says = f"At 2 bits per parameter it holds at most {_many(claim.value)} facts with 365 values each."
    return BoundRow(question="How many facts fit into the weights?", claim=claim, says=says)


def _facts_beyond(model: Architecture, setting: Setting) -> BoundRow:
    claim = fact_error_floor(2.0 * model.parameters, setting.facts, 365)
    if claim.vacuous is None:
        says = f"Of {_many(setting.facts)} random facts it must get at least {claim.value:.1%} wrong."
    else:
        says = f"{_many(setting.facts)} random facts fit into the weights: nothing is excluded."
    return BoundRow(question="How many of the wanted facts must be wrong?", claim=claim, says=says)


def _rare_facts(model: Architecture, setting: Setting) -> BoundRow:
    tokens = setting.training_tokens or model.training_tokens
    if tokens is None:
        claim = exposure_floor(1e-9, _LEARNED_AFTER)
        says = (
            f"A fact that one document in a billion states takes {_many(claim.value)} documents to be met "
            f"{_LEARNED_AFTER} times; how much this model was trained on is not published."
        )
        return BoundRow(question="How rare may a fact be to be learned?", claim=claim, says=says)
    documents = tokens / _TOKENS_PER_DOCUMENT
    rarest = float(documents_needed(1.0, _LEARNED_AFTER)) / documents
    claim = exposure_floor(min(1.0, rarest), _LEARNED_AFTER)
    says = (
        f"Trained on {_many(tokens)} tokens, {_many(documents)} documents of {_TOKENS_PER_DOCUMENT:,}: a fact must "
        f"stand in at least one of {_many(1 / rarest)} of them to be met {_LEARNED_AFTER} times with 95 % certainty."
    )
    return BoundRow(question="How rare may a fact be to be learned?", claim=claim, says=says)


def _needle(model: Architecture, context: int) -> BoundRow:
    keys = model.keys_seen(context)
    claim = gap_needed(keys, 0.5)
    norms = claim.value * math.sqrt(model.head_width) / 2
    says = (
        f"Among {keys:,} keys a needle needs a gap of {claim.value:.2f} nats for half of a head's attention; with "
        f"heads of width {model.head_width} that takes |q|·|k| ≥ {norms:.1f}."
    )
    if keys < context:
        says += f" Every layer slides: nothing beyond {keys:,} tokens back is seen directly."
    return BoundRow(question="How far must a needle stand out?", claim=claim, says=says)


def _normed_needle(model: Architecture) -> tuple[BoundRow, ...]:
    """Normalised queries and keys have length √d times a learned gain, which bounds the spread of the logits."""
    if not model.qk_norm:
        return ()
    norm = math.sqrt(model.head_width)
    spread = float(spread_allowed(norm, norm, model.head_width))
    claim = context_ceiling(spread, 0.5)
    beyond = claim.value >= model.window
    says = (
        f"Queries and keys are normalised: at gain 1 logits spread over at most {spread:.1f} nats, which carries half "
        f"of the attention up to {_many(claim.value)} keys" + (", beyond its window." if beyond else ".")
    )
    if beyond and claim.vacuous is None:
        claim = _with_reason(claim, "the window is shorter than this, so nothing is excluded")
    return (BoundRow(question="What do its normalised queries allow?", claim=claim, says=says),)


def _collapse(model: Architecture, setting: Setting, context: int) -> BoundRow:
    number_format = "fp16" if setting.precision == "int8" else setting.precision
    claim = collapse(setting.spread, number_format)
    if claim.value >= model.keys_seen(context):
        claim = _with_reason(claim, "the context is shorter than this, so nothing is excluded")
    says = (
        f"In a head whose logits stay within {setting.spread:g} nats, one token among more than {_many(claim.value)} "
        f"moves the read by less than the last place of {number_format}: counting and averaging end there."
    )
    return BoundRow(question="When does one token vanish in an average?", claim=claim, says=says)


def _kv(model: Architecture, setting: Setting, context: int) -> BoundRow:
    per_number = BYTES[setting.precision]
    per_token = model.layers * model.kv_numbers * per_number
    total = model.kept_tokens(context) * model.kv_numbers * per_number
    at = {"tokens": context, "layers": model.layers, "numbers_per_layer": model.kv_numbers, "bytes": per_number}
    claim = exactly(CTX_6, KV_BYTES, total, at=at, parts={"bytes_per_new_token": per_token})
    says = f"{per_token:,.0f} bytes per token, {_bytes(total)} for one sequence of {context:,} tokens."
    if model.sliding_layers:
        says += f" {model.sliding_layers} of {model.layers} layers keep the last {model.sliding_window:,} tokens only."
    return BoundRow(question="How much memory does one context take?", claim=claim, says=says)


def _crossover(model: Architecture, context: int) -> BoundRow:
    used = model.parameters - model.idle_parameters
    claim = attention_crossover(used, model.layers, model.heads * model.head_width, tokens=context)
    ratio = float(claim.parts["attention_over_weights"])
    says = (
        f"Attention costs as much as the weights from {claim.value:,.0f} tokens on; at {context:,} tokens it costs "
        f"{ratio:.2g} times as much."
    )
    if model.sliding_layers:
        claim = _with_reason(
            claim, "sliding layers read less than the whole context, so attention costs less than this"
        )
    return BoundRow(question="When does attention cost more than the weights?", claim=claim, says=says)


def _hops(model: Architecture) -> BoundRow:
    claim = hops_per_pass(model.layers)
    if claim.value >= model.window:
        claim = _with_reason(claim, "more hops than its window has tokens, so depth excludes nothing here")
    says = (
        f"{model.layers} layers are enough to follow {_many(claim.value)} pointers in one pass, if training finds it."
    )
    return BoundRow(question="How many hops fit into one forward pass?", claim=claim, says=says)


def _composition(model: Architecture, setting: Setting) -> BoundRow:
    bits = {"bf16": 16, "fp16": 16, "fp32": 32, "int8": 8}[setting.precision]
    claim = composition_domain(model.heads, model.head_width, bits)
    says = (
        f"One attention layer composes two functions given in the prompt without error on at most "
        f"{claim.value:,.0f} entries; the next layer has no such limit."
    )
    return BoundRow(question="What can one layer compose?", claim=claim, says=says)


def _embedding(model: Architecture, setting: Setting) -> BoundRow:
    size = max(1, math.floor((1 + math.sqrt(model.width / (4 * math.log(setting.documents)))) / 2))
    claim = sufficient_width(setting.documents, size)
    comfortable = float(claim.parts["comfortable_width"])
    if comfortable <= model.width:
        says = (
            f"As an embedding, {model.width:,} dimensions can retrieve all sets of up to {size} of "
            f"{setting.documents:,} documents at ordinary margins ({comfortable:,.0f} are surely enough)."
        )
    else:
        says = (
            f"As an embedding, {model.width:,} dimensions are fewer than the {comfortable:,.0f} that are surely enough "
            f"for {setting.documents:,} documents at ordinary margins; exact geometry needs {claim.value:.0f}."
        )
    return BoundRow(question="Which sets of documents can its vectors retrieve?", claim=claim, says=says)


def _image(model: Architecture, context: int) -> tuple[BoundRow, ...]:
    if model.image_tokens is None:
        return ()
    claim = image_share(model.image_tokens, max(0, context - model.image_tokens), 1.0)
    says = (
        f"One image is {model.image_tokens:,} tokens; in a full context of {context:,} tokens it gets "
        f"{claim.value:.1%} of an even attention, less by the factor that text tokens are favoured."
    )
    return (BoundRow(question="How much of the attention can an image get?", claim=claim, says=says),)


def _with_reason(claim: Bound, reason: str) -> Bound:
    return Bound(
        statement=claim.statement,
        quantity=claim.quantity,
        side=claim.side,
        value=claim.value,
        at=claim.at,
        vacuous=reason,
        parts=claim.parts,
    )


def _many(value: float) -> str:
    """Write a large number in words that a reader can take in.

    >>> _many(1.88e9), _many(5861), _many(1e30)
    ('1.88 billion', '5,861', '10^30')
    """
    if value >= 1e15:
        exponent = math.floor(math.log10(value) + 1e-9)
        lead = value / 10.0**exponent
        return f"10^{exponent}" if lead < 1.05 else f"{lead:.1f}·10^{exponent}"
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.3g} {word}"
    return f"{value:,.0f}"


def _bytes(value: float) -> str:
    """Write a number of bytes.

    >>> _bytes(2**34), _bytes(1536)
    ('16.0 GiB', '1.5 KiB')
    """
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if value >= 2**power:
            return f"{value / 2**power:,.1f} {unit}"
    return f"{value:,.0f} bytes"
