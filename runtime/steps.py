"""Which steps a photo passes: all of ours, none of those that the replaced app took.

They are there to be switched, so that the worth of each can be measured (`glyphlite bench photos --ablate`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """The defaults are what reads best.

    colour: look along the colour axis of the best contrast, not always at grey.  light: divide the background out,
    rather than take one grey for all of the paper.  refine: estimate the background again without the writing.
    polarity: look for what stands out, dark or bright, rather than for dark.  rules: take printed lines out.
    deslant: shear slanted writing upright.  cuts: part touching characters.  others: weigh that a candidate may be no
    character.

    Of the replaced app: normalise: stretch the grey to the full range.  denoise: non-local means (Buades et al. 2011).
    sobel: the gradient's strength in place of darkness.  squeeze: the whole image as one glyph.
    """

    colour: bool = True
    light: bool = True
    refine: bool = True
    polarity: bool = True
    rules: bool = True
    deslant: bool = True
    cuts: bool = True
    others: bool = True
    normalise: bool = False
    denoise: bool = False
    sobel: bool = False
    squeeze: bool = False
