"""State of a training ──▶ a checkpoint file, replaced in one rename, and back."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from training.exceptions import ResumeError
from training.network.history import History


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of one training.

    Attributes:
        file: where it is.
        parts: objects with a `state_dict`, by name.
        history: epochs so far; restored in place.
        identity: data, hyperparameters and seed. A training resumes only from a checkpoint with the same identity.
    """

    file: Path
    parts: Mapping[str, Any]
    history: History
    identity: Mapping[str, Any]

    def save(self, epoch: int) -> None:
        """Writes the state after `epoch` epochs.

        Raises:
            OSError, RuntimeError: the file cannot be written; the last checkpoint stays.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        state = {name: part.state_dict() for name, part in self.parts.items()}
        staging = self.file.with_suffix(".tmp")
        torch.save({**state, "history": asdict(self.history), "identity": self.identity, "epoch": epoch}, staging)
        staging.replace(self.file)

    def load(self) -> int:
        """Restores parts and history; returns the number of epochs done.

        Raises:
            ResumeError: there is no checkpoint, it is damaged, or it belongs to other data or settings.
        """
        state = self._read()
        for key, value in self.identity.items():
            if state["identity"].get(key) != value:
                raise ResumeError(
                    f"{self.file} was written with another {key}; use the same settings, or start without --resume"
                )
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        for name, values in state["history"].items():
            getattr(self.history, name).extend(values)
        return int(state["epoch"])

    def _read(self) -> dict[str, Any]:
        if not self.file.is_file():
            raise ResumeError(f"nothing to resume: {self.file} does not exist; start without --resume")
        try:
            state = torch.load(self.file, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            first_line = str(error).partition("\n")[0]
            raise ResumeError(f"{self.file} is damaged ({first_line}); start without --resume") from error
        if not isinstance(state, dict) or "identity" not in state:
            raise ResumeError(f"{self.file} is not a checkpoint of this program; start without --resume")
        return state
