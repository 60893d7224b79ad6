"""Contract suites for those who add a model, a probe or a claim: each raises `ContractError` for what is broken."""

from hardlimit.testing.claims import check_claim
from hardlimit.testing.contract import HOSTILE, ContractError
from hardlimit.testing.mitigations import check_mitigation
from hardlimit.testing.models import check_model
from hardlimit.testing.probes import check_probe

__all__ = ["HOSTILE", "ContractError", "check_claim", "check_mitigation", "check_model", "check_probe"]
