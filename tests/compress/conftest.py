"""A run to compress: the small network of the tests, trained on four shapes."""

import pytest

from glyphlite.compress.examples import load_examples
from glyphlite.compress.sources import load_source
from glyphlite.train.config import TrainingConfig
from glyphlite.train.training import train


@pytest.fixture(scope="session")
def run(shapes, tmp_path_factory):
    """Folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "shapes"
    settings = {"width": 0.5, "epochs": 6, "batch_size": 32, "learning_rate": 0.01}
    train(TrainingConfig(arch="edge", data=str(shapes), **settings), folder, say=lambda _: None)
    return folder


@pytest.fixture(scope="session")
def source(run):
    """The run as compression takes it."""
    return load_source(str(run))


@pytest.fixture(scope="session")
def examples(source):
    """Its data set, parted as its training parted it."""
    return load_examples(source, None)
