"""glyphlite.compress: a trained Keras 3 model becomes small artifacts in a bundle.

It works on any model's layer graph and knows no architecture by name.  TensorFlow is imported only by what needs it.
"""

from .recipes import RECIPES, Recipe, parse_recipe

__all__ = ["RECIPES", "Recipe", "parse_recipe"]
