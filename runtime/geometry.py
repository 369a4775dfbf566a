"""The geometries that a card may name: how an image becomes a network's input.  glyph.py and strip.py do it."""

INK_GEOMETRIES = ("mnist", "emnist")  # a character's ink, placed
IMAGE_GEOMETRIES = ("stretch", "fit", "crop")  # the whole image
GEOMETRIES = (*INK_GEOMETRIES, *IMAGE_GEOMETRIES)
LINE_GEOMETRY = "line"  # a line's strip

STRIP_HEIGHT = 32  # rows
STRIP_SHAPE = (STRIP_HEIGHT, -1, 1)  # height, width, channels; the width is open
