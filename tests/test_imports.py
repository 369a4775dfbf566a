"""Who may import whom: read from the imports of every file, also those inside of functions."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "runtime": set(),
    "models": set(),
    "webapp": {"runtime"},
    "train": {"runtime"},
    "compress": {"runtime", "train"},
    "benchmarks": {"runtime", "train", "compress", "webapp"},
}
# found by name: commands of another folder, for the root to list them, and what `models` needs beyond a device
BY_NAME = {"runtime/cli.py", "runtime/models_cli.py"}
DEVICE = {"numpy", "cv2", "click", "ai_edge_litert", "tflite_runtime", "onnxruntime"}  # all that the runtime may need
WATCH = DEVICE | {"paho", "tomlkit", "inotify_simple", "picamera2"}  # and, where it is wanted, `watch`
SIGNED = DEVICE | {"cryptography"}
HEAVY = {"tensorflow", "keras", "tf_keras", "torch", "jax", "matplotlib", "scipy", "sklearn", "flask"}

FILES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def imports_of(path, nested=True):
    """(folder of ours or None, top package, dotted module) of each import; nested: of those inside functions too."""
    package = ["glyphlite", *path.relative_to(ROOT).parts[:-1]]
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            modules = (
                [".".join([*base, node.module])] if node.module else [".".join([*base, a.name]) for a in node.names]
            )
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module]
        else:
            continue
        for module in modules:
            parts = module.split(".")
            yield (parts[1] if parts[0] == "glyphlite" and len(parts) > 1 else None), parts[0], module


def test_there_is_something_to_read():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(MAY_IMPORT)
    assert ("image", "glyphlite") not in {(folder, top) for folder, top, _ in imports_of(ROOT / "runtime/image.py")}
    assert ("runtime", "glyphlite", "glyphlite.runtime.errors") in set(imports_of(ROOT / "runtime/image.py"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_folders_import_only_those_that_they_may(path):
    own = path.relative_to(ROOT).parts[0]
    used = {folder for folder, _, _ in imports_of(path) if folder is not None}
    assert used <= MAY_IMPORT[own] | {own}


@pytest.mark.parametrize("path", [path for path in FILES if path.relative_to(ROOT).parts[0] == "runtime"], ids=name_of)
def test_the_runtime_needs_only_what_a_device_has(path):
    import sys

    foreign, at_the_top = (
        {top for _, top, _ in imports_of(path, nested)} - set(sys.stdlib_module_names) - {"glyphlite"}
        for nested in (True, False)
    )
    assert foreign <= (WATCH if path.parent.name == "watch" else SIGNED if path.name == "signature.py" else DEVICE)
    assert at_the_top <= DEVICE


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "runtime"], ids=name_of)
def test_engines_are_imported_only_when_one_is_opened(path):
    at_the_top = {top for _, top, _ in imports_of(path, nested=False)}
    assert not at_the_top & {"ai_edge_litert", "tflite_runtime", "onnxruntime"}


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "compress"], ids=name_of)
def test_compress_names_no_architecture(path):
    """It works on any model's layer graph."""
    assert "glyphlite.train.architectures" not in {module for _, _, module in imports_of(path)}


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "benchmarks"], ids=name_of)
def test_benchmarks_train_nothing(path):
    """They take data sets, which are numpy alone."""
    own = {module for folder, _, module in imports_of(path) if folder == "train"}
    for module in own:
        source = ROOT / Path(*module.split(".")[1:]).with_suffix(".py")
        assert source.is_file(), f"{module}: wanted one module of train, not the package"
        assert not {top for _, top, _ in imports_of(source, nested=False)} & HEAVY


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "benchmarks"], ids=name_of)
def test_benchmarks_open_compress_only_when_they_use_it(path):
    """It reads Keras files and counts multiplications, which a device does without."""
    assert "compress" not in {folder for folder, _, _ in imports_of(path, nested=False)}


def test_tf_keras_stays_in_compress():
    users = {name_of(path) for path in FILES for _, top, _ in imports_of(path) if top == "tf_keras"}
    assert all(user.startswith("compress/") for user in users)


def test_other_folders_are_named_where_commands_are():
    """A string such as 'glyphlite.train.cli' is an import that the rules above cannot see."""
    others = tuple(f"glyphlite.{folder}." for folder in MAY_IMPORT if folder != "runtime")
    naming = {
        name_of(path)
        for path in FILES
        if path.parent.name == "runtime"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(others)
    }
    assert naming == BY_NAME
