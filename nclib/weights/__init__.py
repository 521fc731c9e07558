"""Weights of anyone's network: read without running code, nested and prefixed as they come.

A checkpoint is a safetensors file, a file of ``torch.save``, a folder or an index of shards. The
pickles inside torch's files can hold code: they are read with ``weights_only=True``, which refuses
everything but numbers and plain containers, and there is no way around it here.

Chapter: measure.
"""

from __future__ import annotations

from pathlib import Path

from ..checkpoints import CheckpointError
from .fitting import Weights
from .parts import taken
from .reading import content_of

__all__ = ["CheckpointError", "Weights", "read"]


def read(path: Path | str, key: str | None = None) -> Weights:
    """The weights in a file, or in a folder as Hugging Face writes it; on the CPU, no code is run.

    ``key`` chooses a part of the file: an entry such as "ema" or "checkpoint.ema", or what stands
    before the names.
    Without one the usual places are looked through. Files that cannot be read, pickles that would
    run code, and files without weights raise CheckpointError.   Chapter: measure.
    """
    path = Path(path).expanduser()
    path, content = content_of(path)
    return taken(path, content, key)
