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
__all__ = ["Expert", "Limits", "examine", "examine_many", "examine_picture", "load", "pipeline", "to_frame", "write"]

if TYPE_CHECKING:
    from ifdl.experts import Expert, load
    from ifdl.intake import Limits
    from ifdl.many import examine_many
    from ifdl.pipelines import pipeline
    from ifdl.report import write
    from ifdl.report.table import to_frame
    from ifdl.spine import examine, examine_picture

_HOMES = {
    "Expert": "ifdl.experts",
    "Limits": "ifdl.intake",
    "examine": "ifdl.spine",
    "load": "ifdl.experts",
    "examine_picture": "ifdl.spine",
    "examine_many": "ifdl.many",
    "pipeline": "ifdl.pipelines",
    "to_frame": "ifdl.report.table",
    "write": "ifdl.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ifdl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
