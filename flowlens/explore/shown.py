"""Where a panel is drawn: as a picture, which every front end can show."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import ipywidgets as widgets

from flowlens.plot.artists import Artists
from flowlens.plot.panels import Picture

__all__ = ["PngShown", "Shown"]

Data = TypeVar("Data")
Data_contra = TypeVar("Data_contra", contravariant=True)


class Shown(Protocol[Data_contra]):
    """A place in the page where a panel is drawn."""

    widget: widgets.DOMWidget

    def show(self, data: Data_contra, said: str) -> None:
        """Draw it, for those who see it and in words for those who do not."""

    def png(self) -> bytes:
        """Return what is shown as a picture."""


class PngShown(Generic[Data]):
    """A picture that the kernel draws. Its words stand below it: ipywidgets has no other text of a picture."""

    def __init__(self, artists: type[Artists[Data]], image: widgets.Image) -> None:
        self._picture, self.widget = Picture[Any](artists), image

    def show(self, data: Data, said: str) -> None:  # noqa: ARG002
        """Draw it."""
        self.widget.value = self._picture.png(data)

    def png(self) -> bytes:
        """Return what is shown."""
        return bytes(self.widget.value)
