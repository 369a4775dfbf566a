"""The tree of errors: what a caller may catch, and what the command line and the web app make of each."""

import pytest

from glyphlite import runtime
from glyphlite.runtime import errors

TREE = {
    name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and kind.__module__ == errors.__name__
}


def test_every_error_is_one_of_ours_and_public():
    assert len(TREE) == 21
    for name, kind in TREE.items():
        assert issubclass(kind, errors.GlyphliteError)
        assert getattr(runtime, name) is kind
        assert kind.__doc__


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = {line.split("── ")[1].split()[0] for line in errors.__doc__.splitlines() if "── " in line}
    assert drawn == set(TREE) - {"GlyphliteError"}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("ImageError", 400),
        ("UnsupportedImage", 415),
        ("ImageTooLarge", 413),
        ("UnknownModel", 404),
        ("ArtifactError", 500),
        ("EngineError", 500),
    ],
)
def test_the_web_app_answers(kind, status):
    assert TREE[kind].http_status == status


def test_the_command_line_exits_with_2_for_bad_input_and_3_for_a_budget():
    assert {name for name, kind in TREE.items() if kind.exit_code != 2} == {"BudgetError"}
    assert errors.BudgetError.exit_code == 3


def test_a_count_of_one_is_told_as_one():
    assert [errors.counted(count, "error") for count in (0, 1, 1200)] == ["0 errors", "1 error", "1,200 errors"]


def test_the_public_surface():
    """A name that comes or goes does so on purpose."""
    assert sorted(set(runtime.__all__) - set(TREE)) == [
        "Artifact",
        "Bundle",
        "Card",
        "Compression",
        "Prediction",
        "Reading",
        "Recognizer",
        "Refusal",
        "Steps",
        "TextLine",
        "Trace",
        "Training",
        "find_bundle",
        "load_image",
        "read_bundle",
        "shipped_models",
    ]
    assert all(hasattr(runtime, name) for name in runtime.__all__)
