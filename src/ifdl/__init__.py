"""Image forgery detection, localisation and explanation.

    import ifdl
    report = ifdl.examine("photo.jpg")
    print(report.verdict.answer("local_edit").state)
    ifdl.write(report, "out")

Nothing heavy is imported until it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Limits", "examine", "examine_picture", "load", "write"]

if TYPE_CHECKING:
    from ifdl.experts import load
    from ifdl.intake import Limits
    from ifdl.report import write
    from ifdl.spine import examine, examine_picture

_HOMES = {
    "Limits": "ifdl.intake",
    "examine": "ifdl.spine",
    "load": "ifdl.experts",
    "examine_picture": "ifdl.spine",
    "write": "ifdl.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ifdl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
