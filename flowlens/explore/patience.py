"""Doing something once that is asked for many times in a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Patience"]

#: What is asked for within so many seconds is done once.
_MOMENT = 0.03


class Patience:
    """Does what it is asked to a moment later, and once however often it is asked until then.

    Of a slider the front end holds back what the kernel cannot keep up with, of a button it sends every click: twenty
    fast ones would be twenty pictures. Outside a kernel nothing waits.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._waits = False

    def ask(self) -> None:
        """Do it soon."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._act()
            return
        if not self._waits:
            self._waits = True
            loop.call_later(_MOMENT, self._do)

    def _do(self) -> None:
        self._waits = False
        self._act()
