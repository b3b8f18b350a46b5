"""What is counted before and after, to see that nothing is left behind."""

from __future__ import annotations

import threading

import psutil


def threads_begun() -> int:
    """This process's threads, native ones too, but for the event loop's own pool.

    Of that there is one more whenever two of its jobs happen to meet, up to a few that stay.
    """
    pool = sum(thread.name.startswith("asyncio_") for thread in threading.enumerate())
    return psutil.Process().num_threads() - pool
