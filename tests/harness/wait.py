"""wait - for conditions, with a guard against hanging for ever."""

import os
import time

GUARD = float(os.environ.get("PERILUNE_TEST_GUARD", "60"))


def wait_for(condition, what: str, guard: float = GUARD):
    """Returns the first true value of condition(); fails when the guard ends.

    Polls, more and more slowly: for conditions that nothing announces.
    """
    end = time.monotonic() + guard
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {guard:.0f} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
