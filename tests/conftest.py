"""For all tests: whatever started them, the processes that they start and interrupt can be interrupted.

A shell's background job ignores Ctrl-C, and so does everything started below it.
"""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
