"""Recipe names are parsed, and a wrong one is answered with the closest."""

import pytest

from glyphlite.compress import RECIPES, parse_recipe
from glyphlite.compress.channels import IMPORTANCES, USUAL_IMPORTANCE
from glyphlite.compress.recipes import KINDS
from glyphlite.runtime import RecipeError


def test_every_listed_recipe_parses_to_its_own_name():
    assert {"float32", "float16", "static_wi8_ai8", "prune50_static_wi8_ai8"} <= set(RECIPES)
    assert [parse_recipe(name).name for name in RECIPES] == list(RECIPES)


def test_a_name_reads_from_left_to_right():
    recipe = parse_recipe("prune75_float16")
    assert ([step.name for step in recipe.steps], recipe.scheme.name) == (["prune75"], "float16")
    long = parse_recipe("channels50_distill_prune80_cluster16_qat_static_wi8_ai8_stripped")
    assert [step.kind for step in long.steps] == ["channels", "distill", "prune", "cluster", "qat"]
    assert long.stripped and long.step("cluster").amount == 16 and long.step("channels").share == 0.5
    assert parse_recipe("lowrank_float32").name == "lowrank95_float32"


def test_what_a_channel_is_worth_may_be_named():
    recipe = parse_recipe("channels40l1_distill_float32")
    assert recipe.name == "channels40l1_distill_float32" and recipe.steps[0].way == "l1"
    assert recipe.steps[0].text.endswith("40% of the multiplications are gone, those of the smallest weights first")
    assert {USUAL_IMPORTANCE, *KINDS["channels"].ways} == set(IMPORTANCES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("int8", "--list-recipes` prints those that do; int8 is static_wi8_ai8"),
        ("static_wi8ai8", "closest: static_wi8_ai8"),
        ("prune50", "does not exist"),
        ("prune00_float32", "prune00; wanted a number of 01 to 99"),
        ("cluster1_float32", "wanted a number of 02 to 256"),
        ("channels_float32", "wanted a number"),
        ("distill3_float32", "distill takes no number"),
        ("prune50l1_float32", "prune takes no 'l1'"),
        ("channels50l2_float32", "step 'channels50l2' does not exist; closest: channels"),
        ("prunes50_float32", "step 'prunes50' does not exist; closest: prune"),
        ("distill_channels50_float32", "channels50 would undo the step before it"),
        ("prune50_prune80_float32", "a step twice"),
        ("qat_float32", "qat trains for static_wi8_ai8"),
        ("", "does not exist"),
    ],
)
def test_a_recipe_that_does_not_exist(name, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(name)


def test_a_recipe_of_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('steps = ["prune50", "qat"]\nscheme = "static_wi8_ai8"\nstripped = true\n')
    assert parse_recipe(str(path)).name == "prune50_qat_static_wi8_ai8_stripped"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps =", "no recipe"),
        ('step = ["qat"]', "unknown key 'step'"),
        ('steps = "qat"', "wanted a list"),
        ('steps = ["qat"]', "scheme None does not exist"),
        ('scheme = "int8"', "scheme 'int8' does not exist; `glyphlite compress --list-recipes"),
        ('scheme = "float32"\nstripped = 1', "wanted true or false"),
        ('scheme = "float32"\nsteps = ["quat"]', "step 'quat' does not exist; closest: qat"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=message):
        parse_recipe(str(path))
    with pytest.raises(RecipeError, match="no recipe"):
        parse_recipe(str(tmp_path / "none.toml"))
