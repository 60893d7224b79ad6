"""Verdicts about more of one resource."""

from enum import StrEnum

from hardlimit.core.values import Value


class Verdict(StrEnum):
    """What the next factor of a resource does."""

    HELPS = "HELPS"
    SATURATES = "SATURATES"
    CANNOT_PROGRESS = "CANNOT_PROGRESS"
    HURTS = "HURTS"
    UNDETERMINED = "UNDETERMINED"


class Resource(StrEnum):
    """What a team could buy more of."""

    PARAMETERS = "parameters"
    DATA = "training data"
    CONTEXT = "context length"
    DOCUMENTS = "retrieved documents"
    INFERENCE_STEPS = "inference steps"
    SAMPLES = "samples"
    VERIFIER = "verifier quality"
    RESOLUTION = "image resolution"
    RETRIEVAL = "retrieval"
    RETRIEVER = "retriever quality"
    ABSTENTION = "abstention"
    PRECISION = "numerical precision"
    MARGIN = "attention margin"
    DEPTH = "depth"
    EMBEDDING = "embedding dimension"
    CORPUS = "corpus size"
    BATCH = "contrastive batch"


class ResourceVerdict(Value, frozen=True):
    """A verdict about one resource, with the evidence it stands on.

    Args:
        resource: what there would be more of.
        verdict: what more of it does.
        because: one sentence that names the measurement or the claim.
        basis: `measured` (a curve of this model), `theory` (a claim whose hypotheses hold), or `both`.
        claims: ids of the statements it rests on.
    """

    resource: Resource
    verdict: Verdict
    because: str
    basis: str
    claims: tuple[str, ...] = ()
