"""The model that the tests ask, tiny ONNX files, and the setting of the property tests."""

import os

import numpy as np
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


@pytest.fixture(scope="session")
def tiny_onnx(tiny_weights, tmp_path_factory):
    """tiny_onnx(layout, …): path of an `.onnx` of the tiny weights, its input NHWC or NCHW."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("onnx")

    def make(layout, batch="N", kind=TensorProto.FLOAT, weights=tiny_weights, opset=17, ir=9, keep_map=False):
        size = [12, 8, 3] if layout == "NHWC" else [3, 12, 8]
        name, nodes = "image", []
        if layout == "NCHW":
            nodes.append(helper.make_node("Transpose", [name], ["nhwc"], perm=[0, 2, 3, 1]))
            name = "nhwc"
        if kind != TensorProto.FLOAT:
            nodes.append(helper.make_node("Cast", [name], ["real"], to=TensorProto.FLOAT))
            name = "real"
        nodes.append(helper.make_node("Flatten", [name], ["row"]))
        nodes.append(helper.make_node("MatMul", ["row", "weights"], ["map" if keep_map else "logits"]))
        if keep_map:
            nodes.append(helper.make_node("Unsqueeze", ["map", "axes"], ["logits"]))
        graph = helper.make_graph(
            nodes,
            "tiny",
            [helper.make_tensor_value_info("image", kind, [batch, *size])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 1, 1, 4] if keep_map else [batch, 4])],
            [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([1, 2]), "axes")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
        path = folder / f"{layout}-{batch}-{kind}-{opset}-{ir}-{keep_map}-{np.isnan(weights).any()}.onnx"
        onnx.save(model, path)
        return path

    return make
