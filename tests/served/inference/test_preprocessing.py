import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.inference.card import InputSpec
from chalicelib.inference.preprocessing import InputEncoder, dequantize, quantize

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 10, 3), np.uint8)
SPECS = {
    "tf": InputSpec(10, 6, "RGB", 1.0, (127.5,) * 3, (127.5,) * 3),
    "torch": InputSpec(10, 6, "RGB", 1.0, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe": InputSpec(10, 6, "BGR", 1.0, (103.939, 116.779, 123.68), (1.0,) * 3),
    "none": InputSpec(10, 6, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3),
    "negative": InputSpec(10, 6, "L", 1.0, (255.0,), (-255.0,)),
}
TENSORS = {
    "float32": (np.float32, 0.0, 0),
    "int8": (np.int8, 0.0078125, -1),
    "uint8": (np.uint8, 0.0078, 127),
    "int8 that clips": (np.int8, 0.001, 5),
    "int16": (np.int16, 0.0001, 0),
}


class TestInputEncoder:
    @pytest.mark.parametrize("tensor", TENSORS)
    @pytest.mark.parametrize("name", SPECS)
    def test_the_table_equals_the_plain_formula(self, name, tensor):
        spec, (dtype, scale, zero_point) = SPECS[name], TENSORS[tensor]
        pixels = PIXELS[..., : spec.channels]
        ordered = pixels[..., ::-1] if spec.color == "BGR" else pixels
        real = (ordered.astype(np.float64) - spec.mean) / spec.std
        if scale:
            limits = np.iinfo(dtype)
            real = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max)
        got = InputEncoder(spec, np.dtype(dtype), scale, zero_point).encode(pixels)
        assert (got.shape, got.dtype) == ((1, 6, 10, spec.channels), np.dtype(dtype))
        assert np.array_equal(got[0], real.astype(dtype))

    def test_channels_are_not_mixed_up(self):
        spec = InputSpec(1, 1, "BGR", 1.0, (1.0, 2.0, 3.0), (1.0,) * 3)
        got = InputEncoder(spec, np.dtype(np.float32)).encode(np.array([[[10, 20, 30]]], np.uint8))
        assert got.tolist() == [[[[29.0, 18.0, 7.0]]]]

    @pytest.mark.parametrize(
        ("dtype", "scale", "zero_point", "shared"), [(np.uint8, 1.0, 0, True), (np.int8, 1.0, -128, False)]
    )
    def test_pixels_that_the_model_takes_as_they_are_are_not_copied(self, dtype, scale, zero_point, shared):
        got = InputEncoder(SPECS["none"], np.dtype(dtype), scale, zero_point).encode(PIXELS)
        assert np.array_equal(got[0], PIXELS.astype(np.int16) + zero_point)
        assert np.shares_memory(got, PIXELS) is shared

    def test_every_value_of_a_pixel_in_views_of_any_order(self):
        values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
        for view in (values, values[::-1], values[:, ::-1], values.transpose(1, 0, 2)):
            got = InputEncoder(SPECS["tf"], np.dtype(np.int8), 0.0078125, -1).encode(view)
            table = np.clip(np.rint((np.arange(256) - 127.5) / 127.5 / 0.0078125) - 1, -128, 127).astype(np.int8)
            assert np.array_equal(got[0], table[view])

    def test_the_pixels_are_left_alone(self):
        before = PIXELS.copy()
        InputEncoder(SPECS["caffe"], np.dtype(np.float32)).encode(PIXELS)
        assert np.array_equal(PIXELS, before)


class TestQuantize:
    @given(
        values=st.lists(st.floats(-1, 1), min_size=1, max_size=20),
        zero_point=st.integers(-20, 20),
        scale=st.floats(0.01, 0.1),
    )
    def test_a_round_trip_is_within_half_a_step(self, values, zero_point, scale):
        real = np.array(values)
        back = dequantize(quantize(real, np.dtype(np.int8), scale, zero_point), scale, zero_point)
        inside = (np.abs(real / scale) + abs(zero_point)) < 127
        assert np.abs(back - real)[inside].max(initial=0) <= scale / 2 + 1e-9

    @given(value=st.integers(-128, 127), zero_point=st.integers(-128, 127), scale=st.floats(0.001, 10))
    def test_the_other_way_round_nothing_is_lost(self, value, zero_point, scale):
        stored = np.array([value], np.int8)
        again = quantize(dequantize(stored, scale, zero_point), np.dtype(np.int8), scale, zero_point)
        assert np.array_equal(again, stored) and again.dtype == np.int8

    @pytest.mark.parametrize(("dtype", "want"), [(np.int8, [-128, 127]), (np.uint8, [0, 255])])
    def test_what_lies_outside_is_clipped_not_wrapped(self, dtype, want):
        assert quantize(np.array([-1e9, 1e9]), np.dtype(dtype), 0.5, 3).tolist() == want

    @pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 0.5), (np.float32, 0.0), (np.uint8, 0.0)])
    def test_what_is_not_quantised_is_only_cast(self, dtype, scale):
        got = quantize(np.array([0.0, 7.0, 255.0]), np.dtype(dtype), scale, 9)
        assert (got.tolist(), got.dtype) == ([0, 7, 255], np.dtype(dtype))


class TestDequantize:
    @pytest.mark.parametrize(
        ("values", "zero_point", "want"),
        [
            (np.array([-128, 127], np.int8), 127, [-127.5, 0.0]),
            (np.array([-128, 127], np.int8), -128, [0.0, 127.5]),
            (np.array([0, 255], np.uint8), 255, [-127.5, 0.0]),
        ],
        ids=["int8 high", "int8 low", "uint8"],
    )
    def test_8_bit_values_do_not_wrap(self, values, zero_point, want):
        got = dequantize(values, 0.5, zero_point)
        assert (got.tolist(), got.dtype) == (want, np.float64)

    def test_a_scale_of_0_means_not_quantised(self):
        assert dequantize(np.array([1.5], np.float32), 0.0, 7).tolist() == [1.5]
