"""Neural collapse of any classifier: a hook on its last linear layer, a batch at a time."""

from .collapse import CollapseMeter

__all__ = ["CollapseMeter"]
