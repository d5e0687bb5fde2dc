"""The only room that decodes files: bytes in, a Picture or a clean refusal out."""

from __future__ import annotations

from ifdl.intake.decode import decode
from ifdl.intake.errors import IntakeError
from ifdl.intake.limits import Limits

__all__ = ["IntakeError", "Limits", "decode"]
