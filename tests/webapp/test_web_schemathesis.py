"""Every operation of /openapi.json, asked by requests that schemathesis makes of it, sound ones and unsound ones."""

import cv2
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import positive_data_acceptance
from schemathesis.generation import GenerationMode

from glyphlite.webapp.openapi import document

EXAMPLES = 15  # requests of an operation and mode
STROKE = cv2.line(np.full((90, 90), 255, np.uint8), (45, 12), (45, 78), 20, 7)
PNG, JPEG, BLANK = (
    cv2.imencode(suffix, pixels)[1].tobytes()
    for suffix, pixels in ((".png", STROKE), (".jpg", STROKE), (".png", np.zeros((9, 9, 3), np.uint8)))
)
IMAGES = [PNG, JPEG, PNG[:60], b"", BLANK]
OPERATIONS = [(path, method) for path, item in document()["paths"].items() for method in item]

for media_type in ("image/png", "application/octet-stream", "application/zip", "application/x-npz"):
    schemathesis.openapi.media_type(media_type, st.sampled_from(IMAGES) | st.binary(max_size=2000))
schemathesis.openapi.media_type("image/*", st.sampled_from(IMAGES))


@pytest.fixture(scope="module")
def schema(app):
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@pytest.mark.parametrize("mode", GenerationMode)
def test_answers_are_as_documented(schema, path, method, mode):
    operation = schema[path][method.upper()]
    if mode is GenerationMode.NEGATIVE and not (operation.body or list(operation.iter_parameters())):
        return  # there is nothing to get wrong

    @given(operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck)
    def ask(case):
        case.call_and_validate(excluded_checks=[positive_data_acceptance])  # no schema tells which text is an image

    ask()
