"""Doing once what is asked for many times in a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["Patience"]

#: What is asked for again within so many seconds is done once.
_MOMENT = 0.03


class Patience:
    """Does what it is asked to at once, and what it is asked meanwhile a moment later, once however often.

    Of a slider the front end holds back what the kernel cannot keep up with, of a button it sends every click: twenty
    fast ones would be twenty pictures. Outside a kernel nothing waits.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._waits, self._done = False, float("-inf")

    def ask(self) -> None:
        """Do it now or soon."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._act()
            return
        if self._waits:
            return
        # Clicks that came while the last one was answered arrive all together after it.
        if time.monotonic() - self._done > _MOMENT:
            self._do()
        else:
            self._waits = True
            loop.call_later(_MOMENT, self._do)

    def _do(self) -> None:
        self._waits = False
        try:
            self._act()
        finally:
            self._done = time.monotonic()
