"""Channel pruning for Keras 3: whole channels are removed, and an ordinary smaller model is left.

dependencies.py finds which channels of which layers go together, importance.py says what each is worth, pruner.py
decides how many go and when, surgery.py cuts.  After Liu et al. 2017 (network slimming), Molchanov et al. 2019
(Taylor) and Fang et al. 2023 (dependency graph).
"""

from .dependencies import Dependencies, Unit, trace
from .importance import IMPORTANCES
from .pruner import USUAL_IMPORTANCE, prune_channels
from .surgery import without_units

__all__ = ["IMPORTANCES", "USUAL_IMPORTANCE", "Dependencies", "Unit", "prune_channels", "trace", "without_units"]
