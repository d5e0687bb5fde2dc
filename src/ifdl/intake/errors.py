"""Why a file was refused: one class per kind of refusal, each a sentence that names the file and the cure."""

from __future__ import annotations


class IntakeError(Exception):
    """A file that could not be examined. `kind` is stable and machine-readable."""

    kind = "refused"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type[IntakeError], tuple[str, str]]:
        return type(self), (self.name, self.reason)


class Missing(IntakeError):
    """There is no such file, or it may not be read."""

    kind = "missing"


class NotAFile(IntakeError):
    """A folder, device, pipe or socket stands where a file was expected."""

    kind = "not_a_file"


class Empty(IntakeError):
    """The file holds no bytes."""

    kind = "empty"


class FileTooLarge(IntakeError):
    """More bytes than the limit."""

    kind = "file_too_large"


class NotAPicture(IntakeError):
    """The first bytes belong to no picture format."""

    kind = "not_a_picture"


class UnsupportedFormat(IntakeError):
    """A picture format, or a variant of one, that ifdl does not read."""

    kind = "unsupported_format"


class MissingCodec(IntakeError):
    """The format needs an extra that is not installed."""

    kind = "missing_codec"


class NoSuchPart(IntakeError):
    """The file has no page, frame or picture of that number."""

    kind = "no_such_part"


class NoPixels(IntakeError):
    """Width or height is zero."""

    kind = "no_pixels"


class TooManyPixels(IntakeError):
    """The header announces more pixels than the limit."""

    kind = "too_many_pixels"


class Truncated(IntakeError):
    """The file ends before its picture does."""

    kind = "truncated"


class Corrupt(IntakeError):
    """The file is damaged or breaks its format's rules."""

    kind = "corrupt"


class OutOfMemory(IntakeError):
    """Decoding needed more memory than the limit."""

    kind = "out_of_memory"


class TimedOut(IntakeError):
    """Decoding took longer than the limit."""

    kind = "timed_out"


class DecoderCrashed(IntakeError):
    """The decoding process died."""

    kind = "decoder_crashed"


BY_KIND: dict[str, type[IntakeError]] = {c.kind: c for c in IntakeError.__subclasses__()}
