"""Where a panel is drawn: as a picture, which every front end can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import ipywidgets as widgets

if TYPE_CHECKING:
    from PIL.Image import Image

    from flowlens.plot.panels import Picture

__all__ = ["PngShown", "Shown"]

Data = TypeVar("Data")
Data_contra = TypeVar("Data_contra", contravariant=True)


class Shown(Protocol[Data_contra]):
    """A place in the page where a panel is drawn."""

    widget: widgets.DOMWidget

    def show(self, data: Data_contra, said: str) -> None:
        """Draw it, for those who see it and in words for those who do not."""

    def drawn(self) -> Image:
        """Return what is shown as a picture."""


class PngShown(Generic[Data]):
    """A picture that the kernel draws. Its words stand below it: ipywidgets has no other text of a picture."""

    def __init__(self, image: widgets.Image) -> None:
        self.widget = image
        self._picture: Picture[Data] | None = None

    def show(self, data: Data, said: str) -> None:  # noqa: ARG002
        """Draw it."""
        if self._picture is None:
            from flowlens.plot.panels import Picture

            self._picture = Picture(type(data))
        self.widget.value = self._picture.png(data)

    def drawn(self) -> Image:
        """Return what is shown."""
        if self._picture is None:
            raise RuntimeError("nothing has been drawn yet")
        return self._picture.drawn()
