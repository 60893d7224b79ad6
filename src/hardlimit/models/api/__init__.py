"""Models behind any OpenAI-compatible server, asked over HTTP: `api:MODEL@URL`."""

from hardlimit.models.api.model import ApiModel, ChatModel, ScoringModel, SeeingModel, TextModel
from hardlimit.models.api.opening import connect, open_api
from hardlimit.models.api.settings import ApiSettings, Key, Patience, Prices

__all__ = [
    "ApiModel",
    "ApiSettings",
    "ChatModel",
    "Key",
    "Patience",
    "Prices",
    "ScoringModel",
    "SeeingModel",
    "TextModel",
    "connect",
    "open_api",
]
