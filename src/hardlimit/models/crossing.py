"""Cross-encoders: models that read a question and a text together and say how well the text answers it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import InvalidValueError, MissingExtraError, ModelError

AT_ONCE = 16
"""Pairs read in one batch; the longest first, so that little is padded."""


class CrossEncoder:
    """A sequence classifier of transformers with one output, or with two of which the second says "relevant".

    Args:
        path: a folder as `save_pretrained` leaves it, or a name on the Hugging Face hub.
    """

    def __init__(self, path: str | Path) -> None:
        """Load the weights.

        Raises:
            MissingExtraError: the extra `local` is not installed.
            ModelError: they cannot be loaded, or are not those of a classifier that tells one relevance.
        """
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer

            from hardlimit.models.loading import quietly
        except ImportError as error:
            raise MissingExtraError.for_extra("local", error.name or "transformers") from error
        self.name = f"local:{path}"
        self._torch = torch
        try:
            with quietly():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(str(path))
                model, found = AutoModelForSequenceClassification.from_pretrained(
                    str(path), dtype=torch.float32, output_loading_info=True
                )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{path} cannot be loaded as a cross-encoder: {error}. It needs a tokenizer and the weights of a "
                "sequence classifier of transformers."
            ) from error
        if found["missing_keys"]:
            raise ModelError(
                f"{path} holds no trained head: {', '.join(sorted(found['missing_keys']))} would be random. A language "
                "model is not a cross-encoder; rank by its likelihood instead (by='model')."
            )
        if model.config.num_labels not in (1, 2):
            raise ModelError(f"A cross-encoder has one output or two, {path} has {model.config.num_labels}.")
        self._model: Any = model.eval()
        # Some architectures keep two places for themselves.
        self.window = min(int(self._tokenizer.model_max_length), int(model.config.max_position_embeddings) - 2)

    def relevance(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """How well each text answers the question: a logit, which compares texts of one question alone.

        What does not fit into the model's window is cut off, of the longer of question and text first.
        """
        if not question:
            raise InvalidValueError("A cross-encoder needs a question, got an empty text.")
        scores = np.zeros(len(texts))
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        for start in range(0, len(order), AT_ONCE):
            places = order[start : start + AT_ONCE]
            pairs = self._tokenizer(
                [question] * len(places),
                [texts[place] for place in places],
                truncation=True,
                max_length=self.window,
                padding=True,
                return_tensors="pt",
            )
            with self._torch.inference_mode():
                logits = self._model(**pairs).logits.double().numpy()
            scores[places] = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
        return scores
