"""The model that the tests ask, and the setting of the property tests."""

import os

import pytest
from hypothesis import settings

from glyphlite.runtime import Recognizer

settings.register_profile("glyphlite", deadline=None, derandomize=True)
settings.load_profile("glyphlite")


@pytest.fixture(scope="session")
def model_name():
    """A shipped model of digits; another bundle's folder may stand in for it."""
    return os.environ.get("GLYPHLITE_TEST_MODEL", "digits-edge")


@pytest.fixture(scope="session")
def model(model_name):
    """It, ready to answer."""
    return Recognizer.load(model_name)
