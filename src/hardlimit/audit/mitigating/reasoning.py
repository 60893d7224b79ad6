"""What lifts accuracy on problems: programs, steps, votes and judges."""

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Mitigation
from hardlimit.audit.mitigating.measuring import Trial, measured
from hardlimit.core import CapabilityError, Case
from hardlimit.mitigations import BestOf, Programs, Scratchpad, Vote
from hardlimit.mitigations.sandbox import run
from hardlimit.models import Scores
from hardlimit.probes.reasoning import Arithmetic

DIGITS = 4
CASES = 40
_SEED = 21_000


def mitigations(desk: Desk, seed: int) -> tuple[Mitigation, ...]:
    """Program-aided reasoning, a scratchpad, a vote and a judged best of k, on the addition of long numbers."""
    probe = Arithmetic(digits=DIGITS)
    trials = [
        Trial("a scratchpad", Scratchpad(max_tokens=128)),
        Trial("a vote over 5 samples", Vote(k=5), rewords=False),
    ]
    if isinstance(desk.model, Scores):
        trials.append(Trial("the best of 5 samples by its own judgement", BestOf(k=5), rewords=False))
    if can_run_programs():
        trials.insert(0, Trial("program-aided reasoning", Programs()))
    return measured(desk, probe, problems(probe, seed), trials)


def problems(probe: Arithmetic, seed: int) -> list[Case]:
    """Draw problems that each have worked examples of their own, so that each stands alone."""
    return [probe.cases(seed=seed + _SEED + place, n=1)[0] for place in range(CASES)]


def can_run_programs() -> bool:
    """Whether this machine has the sandbox that a model's programs need."""
    try:
        return run("1").answer == "1"
    except CapabilityError:
        return False
