"""Recipe names are parsed, and a wrong one is answered with the closest."""

import pytest

from glyphlite.compress import RECIPES, parse_recipe
from glyphlite.runtime import RecipeError


def test_every_listed_recipe_parses_to_its_own_name():
    assert {"float32", "float16", "static_wi8_ai8", "prune50_static_wi8_ai8"} <= set(RECIPES)
    assert [parse_recipe(name).name for name in RECIPES] == list(RECIPES)


def test_a_name_reads_from_left_to_right():
    recipe = parse_recipe("prune75_float16")
    assert (recipe.sparsity, recipe.scheme.name) == (0.75, "float16")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int8", "closest"),
        ("static_wi8ai8", "closest: static_wi8_ai8"),
        ("prune50", "does not exist"),
        ("prune00_float32", "wanted 01 to 99"),
        ("prune5_float32", "does not exist"),
        ("", "does not exist"),
    ],
)
def test_a_recipe_that_does_not_exist(name, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(name)
