"""`models.bundle.audit`: what a graph may hold, wherever in it."""

from __future__ import annotations

import random

import onnx
import pytest
from onnx import TensorProto, helper

from models.bundle.audit import ALLOWED_DOMAINS, audit_onnx
from models.bundle.head_spec import HeadSpec
from models.errors import BundleError
from tests.tiny_bundle import COLUMNS, column_head_graph, embedder_graph, head_graph

FOREIGN = "evil.ops"


def node(domain: str = "", value: object = None) -> onnx.NodeProto:
    return helper.make_node("Identity", ["x"], ["y"], domain=domain, value=value)


def graph(*nodes: onnx.NodeProto, initializers: tuple[onnx.TensorProto, ...] = ()) -> onnx.GraphProto:
    return helper.make_graph(list(nodes) or [node()], "g", [], [], list(initializers))


def model(graph_: onnx.GraphProto | None = None, **options: object) -> onnx.ModelProto:
    return helper.make_model(graph_ or graph(), **options)


def data(model_: onnx.ModelProto) -> bytes:
    return bytes(model_.SerializeToString())


def external_tensor() -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def external_tensor_by_flag() -> onnx.TensorProto:
    tensor = external_tensor()
    del tensor.external_data[:]
    return tensor


def external_tensor_by_entry() -> onnx.TensorProto:
    tensor = external_tensor()
    tensor.ClearField("data_location")
    return tensor


def conditional(inner: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=graph())


def nested(depth: int) -> onnx.ModelProto:
    inner = graph()
    for _ in range(depth):
        inner = graph(conditional(inner))
    return model(inner)


def with_function(domain: str = "", node_domain: str = "", opset_domain: str = "") -> onnx.ModelProto:
    opsets = [helper.make_opsetid(opset_domain, 17)]
    function = helper.make_function(domain, "f", ["x"], ["y"], [node(node_domain)], opsets)
    return model(functions=[function])


def with_training_info() -> onnx.ModelProto:
    result = model()
    result.training_info.add().algorithm.CopyFrom(graph(node(FOREIGN)))
    return result


def with_sparse_initializer() -> onnx.ModelProto:
    result = model()
    result.graph.sparse_initializer.add().values.CopyFrom(external_tensor())
    return result


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(embedder_graph(8, 1), id="the tiny embedder"),
        pytest.param(head_graph(3), id="a gradient boosting from skl2onnx"),
        pytest.param(
            column_head_graph(HeadSpec(name="h", kind="k", classes=("a", "b"), columns=COLUMNS)),
            id="a head with columns",
        ),
        *(pytest.param(data(model(graph(node(domain)))), id=f"domain {domain!r}") for domain in ALLOWED_DOMAINS),
        pytest.param(data(nested(3)), id="an If in an If in an If"),
        pytest.param(data(with_function()), id="a function of the standard domain"),
    ],
)
def test_self_contained_graphs_of_known_domains_pass(good: bytes) -> None:
    audit_onnx(good, "embedder.onnx")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(model(graph(node(FOREIGN))), id="of a node"),
        pytest.param(model(opset_imports=[helper.make_opsetid(FOREIGN, 1)]), id="imported and not used"),
        pytest.param(model(graph(conditional(graph(node(FOREIGN))))), id="inside an If"),
        pytest.param(model(graph(conditional(graph(conditional(graph(node(FOREIGN))))))), id="inside an If in an If"),
        pytest.param(model(graph(node(value=[graph(node(FOREIGN))]))), id="in a list of graphs"),
        pytest.param(with_function(domain=FOREIGN), id="of a function"),
        pytest.param(with_function(node_domain=FOREIGN), id="of a node inside a function"),
        pytest.param(with_function(opset_domain=FOREIGN), id="imported by a function"),
        pytest.param(with_training_info(), id="of a node of the training graph"),
    ],
)
def test_a_foreign_operator_domain_is_refused(bad: onnx.ModelProto) -> None:
    with pytest.raises(BundleError, match=r"^head\.onnx: operator domain 'evil\.ops' is not allowed; use operators of"):
        audit_onnx(data(bad), "head.onnx")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(model(graph(initializers=(external_tensor(),))), id="of an initializer"),
        pytest.param(model(graph(initializers=(external_tensor_by_flag(),))), id="said by the location alone"),
        pytest.param(model(graph(initializers=(external_tensor_by_entry(),))), id="said by the entries alone"),
        pytest.param(model(graph(node(value=external_tensor()))), id="of an attribute"),
        pytest.param(model(graph(node(value=[external_tensor()]))), id="in a list of tensors"),
        pytest.param(model(graph(conditional(graph(initializers=(external_tensor(),))))), id="inside an If"),
        pytest.param(with_sparse_initializer(), id="of a sparse initializer"),
    ],
)
def test_external_data_is_refused(bad: onnx.ModelProto) -> None:
    with pytest.raises(BundleError, match=r"^head\.onnx: a tensor has external data"):
        audit_onnx(data(bad), "head.onnx")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(BundleError, match=r"^head\.onnx: graphs nested deeper than 32"):
        audit_onnx(data(nested(20)), "head.onnx")


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\xff" * 64, id="a number longer than 64 bits"),
        pytest.param(b"\x08", id="a field without value"),
        pytest.param(b"\x3a\x7f\x00", id="a field that runs past the end"),
        pytest.param(b"\x0b\x0c", id="a wire type that does not exist"),
        pytest.param(b"\x00\x00", id="field number 0"),
        pytest.param(b"\x82\x80\x80\x80\x10\x00", id="a field number over 29 bits, which a reader may shorten"),
        pytest.param(b"this is no model", id="text"),
        pytest.param(data(model())[:-1], id="a model without its last byte"),
        pytest.param(b"\x42\x02\x0a\x01" + b"\xff", id="a message cut short"),
        pytest.param(b"\x42\x03\x0a\x01\xff", id="a domain that is not UTF-8"),
    ],
)
def test_what_is_no_protobuf_message_is_refused(garbage: bytes) -> None:
    with pytest.raises(BundleError, match=r"^head\.onnx: not a readable ONNX graph"):
        audit_onnx(garbage, "head.onnx")


def test_fixed_width_fields_are_passed_over() -> None:
    audit_onnx(b"\x65\0\0\0\0" + b"\x61\0\0\0\0\0\0\0\0" + data(model()), "head.onnx")


def test_an_ort_format_model_is_refused() -> None:
    with pytest.raises(BundleError, match="ORT-format"):
        audit_onnx(b"\x12\x7f\0\0ORTM" + bytes(200), "head.onnx")


def test_damage_anywhere_gives_a_verdict() -> None:
    dice = random.Random(0)
    good = head_graph(3)
    verdicts = set()
    for _ in range(300):
        damaged = bytearray(good)
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        try:
            audit_onnx(bytes(damaged), "head.onnx")
        except BundleError as error:
            verdicts.add(str(error).partition(":")[0])
    assert verdicts == {"head.onnx"}
