"""Models: four small capability protocols, the card that theory reads, and faithful adapters."""

from hardlimit.models.card import ModelCard
from hardlimit.models.protocols import Attends, Generates, Model, Scores, Sees, Studies, require

__all__ = ["Attends", "Generates", "Model", "ModelCard", "Scores", "Sees", "Studies", "require"]
