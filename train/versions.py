"""Which packages a model was made with."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import packages_distributions, version


def versions_of(modules: Sequence[str]) -> dict[str, str]:
    """The version of each installed module's package, by the package's name: that of cv2, say, has several."""
    known = packages_distributions()
    names = [known[module][0] for module in modules if module in known]
    return {name: version(name) for name in names}
