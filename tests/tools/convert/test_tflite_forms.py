""".tflite files of every form: one that serves, compared with the file run as it is, or one clear line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from chalicelib.inference.classifier import softmax
from convert.graph import Graph
from tests.tools.convert import small
from tests.tools.convert.conftest import Run
from tests.tools.convert.small import CLASSES, SIDE_PX, logits, picture, pixels, scores, tflite
from tests.tools.convert.test_command_line import listing, served

Cli = Callable[..., Run]
S = SIDE_PX
UNIT = ("--preprocess", "unit", "--quantize", "float32")


def answers(data: bytes, tensors: NDArray[Any], output: int = 0) -> NDArray[np.float64]:
    """What the file itself answers to tensors of its own form, one after another: (count, classes)."""
    interpreter = Interpreter(model_content=data)
    given = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(given["index"], tensors[:1].shape)
    interpreter.allocate_tensors()
    found = []
    for tensor in tensors:
        interpreter.set_tensor(given["index"], tensor[np.newaxis].astype(given["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[output]["index"]).reshape(-1)[:CLASSES])
    return np.stack(found).astype(np.float64)


class Form(NamedTuple):
    make: Callable[[], bytes]
    tensors: Callable[[NDArray[Any]], NDArray[Any]] = lambda unit: unit
    """Pixels in 0..1, (count, H, W, channels), to tensors of the file's own form."""
    channels: int = 3
    given: tuple[object, ...] = UNIT
    note: str = ""
    output: int = 0
    are_logits: bool = False


def as_half(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def in_16_bits(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[np.newaxis]] for one in unit_pixels())
    mode = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    converter.target_spec.supported_ops = [mode]


def unit_pixels(channels: int = 3) -> NDArray[np.float32]:
    return (pixels(channels=channels) / 255).astype(np.float32)


def old(data: bytes) -> bytes:
    """As TensorFlow before version 2.4 wrote it."""
    graph = Graph(data)
    for code in graph.model.operatorCodes:
        code.deprecatedBuiltinCode, code.builtinCode = code.builtinCode, 0
    return graph.serialize()


def several(x: Any) -> dict[str, Any]:
    return {"scores": scores(x), "features": tf.nn.relu(x), "best": tf.argmax(logits(x), -1)}


def two_rows(x: Any) -> dict[str, Any]:
    return {"first": scores(x), "second": scores(1 - x)}


FORMS = {
    "channels last": Form(lambda: tflite(scores, picture(1, S, S, 3))),
    "channels first": Form(
        lambda: tflite(lambda x: scores(tf.transpose(x, [0, 2, 3, 1])), picture(1, 3, S, S)),
        lambda unit: unit.transpose(0, 3, 1, 2),
        note="the network takes channels first, (1, 3, 16, 16)",
    ),
    "grey without channels": Form(
        lambda: tflite(lambda x: scores(x[..., tf.newaxis]), picture(1, S, S)),
        lambda unit: unit[..., 0],
        channels=1,
        note="(1, 16, 16), is read as a grey picture",
    ),
    "a row of grey pixels": Form(
        lambda: tflite(lambda x: scores(tf.reshape(x, [1, S, S, 1])), picture(1, S * S)),
        lambda unit: unit.reshape(len(unit), -1),
        channels=1,
        note="is read as 16x16 px of 1 channels",
    ),
    "a row of colours": Form(
        lambda: tflite(lambda x: scores(tf.reshape(x, [1, S, S, 3])), picture(1, S * S * 3)),
        lambda unit: unit.reshape(len(unit), -1),
        note="is read as 16x16 px of 3 channels",
    ),
    "without a batch": Form(lambda: tflite(lambda x: scores(x[tf.newaxis])[0], picture(S, S, 3))),
    "open size": Form(lambda: tflite(scores, picture(1, None, None, 3)), given=(*UNIT, "--input-size", S)),
    "open size and batch": Form(lambda: tflite(scores, picture(None, None, None, 3)), given=(*UNIT, "--input-size", S)),
    "channels first of open size": Form(
        lambda: tflite(lambda x: scores(tf.transpose(x, [0, 2, 3, 1])), picture(1, 3, None, None)),
        lambda unit: unit.transpose(0, 3, 1, 2),
        given=(*UNIT, "--input-size", S),
    ),
    "eight pictures at once": Form(
        lambda: tflite(scores, picture(8, S, S, 3)), note="takes 8 pictures at once: it is served with one"
    ),
    "one row of scores of three outputs": Form(
        lambda: tflite(several, picture(1, S, S, 3)), note="is the only row of scores", output=-1
    ),
    "half-precision weights": Form(lambda: tflite(scores, picture(1, S, S, 3), change=as_half), given=UNIT[:2]),
    "half-precision input": Form(
        lambda: tflite(lambda x: scores(tf.cast(x, tf.float32)), tf.TensorSpec((1, S, S, 3), tf.float16))
    ),
    "int32 input": Form(
        lambda: tflite(lambda x: scores(tf.cast(x, tf.float32) / 255), tf.TensorSpec((1, S, S, 3), tf.int32)),
        lambda unit: np.rint(unit * 255),
        given=UNIT[2:],
    ),
    "uint8 input that is cast": Form(
        lambda: tflite(lambda x: scores(tf.cast(x, tf.float32) / 255), tf.TensorSpec((1, S, S, 3), tf.uint8)),
        lambda unit: np.rint(unit * 255),
        given=("--quantize", "uint8"),
    ),
    "int16 activations": Form(lambda: tflite(scores, picture(1, S, S, 3), change=in_16_bits), given=UNIT[:2]),
    "an old file": Form(lambda: old(tflite(scores, picture(1, S, S, 3)))),
    "logits": Form(lambda: tflite(logits, picture(1, S, S, 3)), are_logits=True),
}


def expected_of(form: Form, data: bytes, shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    tensors = form.tensors((shown / 255).astype(np.float32))
    if data_has_no_batch(data):
        interpreter = Interpreter(model_content=data)
        interpreter.allocate_tensors()
        return np.stack([one_answer(interpreter, tensor) for tensor in tensors])
    if form.output == -1:
        details = Interpreter(model_content=data).get_output_details()
        output = next(i for i, detail in enumerate(details) if detail["shape"].tolist() == [1, CLASSES])
        return answers(data, tensors, output)
    return answers(data, tensors)


def data_has_no_batch(data: bytes) -> bool:
    return Interpreter(model_content=data).get_input_details()[0]["shape"].tolist() == [S, S, 3]


def one_answer(interpreter: Interpreter, tensor: NDArray[Any]) -> NDArray[np.float64]:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), np.float64).reshape(-1)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_it_serves_what_the_file_itself_answers(form: Form, run: Cli, tmp_path: Path) -> None:
    data = form.make()
    (tmp_path / "a.tflite").write_bytes(data)
    given = () if "uint8" in form.given else form.given
    result = run(tmp_path / "a.tflite", "--out", tmp_path / "models", *given)
    assert result.code == 0, result.err
    assert form.note in result.err
    shown = pixels(channels=form.channels)
    expected = expected_of(form, data, shown)
    if form.are_logits:
        expected = np.stack([softmax(row) for row in expected])
    classifier = served(tmp_path / "models" / "a")
    found = np.stack([classifier.scores(one) for one in shown])
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert np.ptp(expected, axis=0).max() > 0.1  # the pictures differ, so that a wrong form would show


def test_channels_first_also_serves_in_8_bits(run: Cli, pictures: Path, tmp_path: Path) -> None:
    data = FORMS["channels first"].make()
    (tmp_path / "a.tflite").write_bytes(data)
    for given in (("--quantize", "dynamic"), ("--calibration", pictures)):
        result = run(tmp_path / "a.tflite", "--out", tmp_path, *UNIT[:2], *given, "--validation", pictures)
        assert result.code == 0, result.err


@pytest.mark.parametrize("wanted", ["first", "second", "0", "1"])
def test_an_output_is_chosen_by_name_or_number(wanted: str, run: Cli, tmp_path: Path) -> None:
    data = tflite(two_rows, picture(1, S, S, 3))
    (tmp_path / "a.tflite").write_bytes(data)
    result = run(tmp_path / "a.tflite", "--out", tmp_path, *UNIT, "--output", wanted)
    assert result.code == 0, result.err
    shown = pixels()
    runner = Interpreter(model_content=data).get_signature_runner()
    name = wanted if wanted in ("first", "second") else ("first", "second")[int(wanted)]
    expected = [runner(image=(one[np.newaxis] / 255).astype(np.float32))[name][0] for one in shown]
    np.testing.assert_allclose(np.stack([served(tmp_path / "a").scores(one) for one in shown]), expected, atol=1e-4)


def with_custom(name: str) -> bytes:
    graph = Graph(tflite(scores, picture(1, S, S, 3)))
    code = graph.model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = name.encode()
    return graph.serialize()


def looped(x: Any) -> Any:
    steps = tf.cast(tf.reduce_max(x), tf.int32)
    return scores(tf.while_loop(lambda i, _: i < steps, lambda i, y: (i + 1, y * 0.5), (0, x))[1])


KERNEL = small.KERNEL
DENSE_ROWS = tf.constant(np.arange(400).reshape(100, 4), tf.float32)
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "two inputs": (
        lambda: tflite(lambda a, b: scores(a + b), picture(1, S, S, 3), picture(1, S, S, 3)),
        "takes 2 inputs",
    ),
    "open size": (FORMS["open size"].make, "leaves its size open; give the one"),
    "two rows": (lambda: tflite(two_rows, picture(1, S, S, 3)), "choose one with --output NAME"),
    "mask": (lambda: tflite(lambda x: tf.nn.softmax(tf.nn.conv2d(x, KERNEL, 1, "SAME")), picture(1, S, S, 3)), "masks"),
    "number of the class": (lambda: tflite(lambda x: tf.argmax(logits(x), -1), picture(1, S, S, 3)), "int64"),
    "four channels": (lambda: tflite(lambda x: scores(x[..., :3]), picture(1, S, S, 4)), "with 1 or 3 channels"),
    "sequence": (lambda: tflite(lambda x: tf.reduce_mean(x, 1), picture(1, 20, 64)), "a sequence or a signal"),
    "tokens": (
        lambda: tflite(lambda x: tf.gather(DENSE_ROWS, x)[:, 0], tf.TensorSpec((1, 64), tf.int32)),
        "as tokens of a text are",
    ),
    "audio": (lambda: tflite(lambda x: x[:, :4], picture(1, 15601)), "no square picture has so many"),
    "text": (lambda: string_input(), "the model's input is string"),
    "bound to eight pictures": (
        lambda: tflite(lambda x: scores(x * np.linspace(0.5, 1, 8).reshape(8, 1, 1, 1)), picture(8, S, S, 3)),
        "takes 8 pictures at once, and a layer in it is bound to that",
    ),
    "embedding": (lambda: tflite(lambda x: tf.math.l2_normalize(logits(x), -1), picture(1, S, S, 3)), "as embeddings"),
    "features": (
        lambda: tflite(lambda x: tf.nn.relu(logits(x)) @ tf.ones((CLASSES, 20)), picture(1, S, S, 3)),
        "as the features before a last layer do",
    ),
    "edge tpu": (lambda: with_custom("edgetpu-custom-op"), "compiled for the Edge TPU"),
    "detector": (lambda: with_custom("TFLite_Detection_PostProcess"), "a detector"),
    "custom": (lambda: with_custom("MyOwn"), "custom operators (MyOwn)"),
    "flex": (lambda: with_custom("FlexErfinv"), "operators of TensorFlow (FlexErfinv)"),
    "loop": (lambda: tflite(looped, picture(1, S, S, 3)), "control flow (WHILE)"),
}


def string_input() -> bytes:
    graph = Graph(tflite(scores, picture(1, S, S, 3)))
    graph.tensor(graph.subgraph.inputs[0]).type = schema.TensorType.STRING
    return graph.serialize()


def test_features_are_served_if_the_user_says_what_they_are(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(REFUSED["features"][0]())
    assert run(tmp_path / "a.tflite", "--out", tmp_path, *UNIT, "--scores", "logits").code == 0


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_one_line_says_why_it_is_refused(make: Callable[[], bytes], message: str, run: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(make())
    result = run(tmp_path / "a.tflite", "--out", tmp_path / "models")
    assert (result.code, listing(tmp_path / "models")) == (2, [])
    (line,) = [line for line in result.err.splitlines() if line.startswith("convert: ")]
    assert message in line
