import json

import pytest

from chalicelib.errors import ModelError
from chalicelib.inference import evidence
from chalicelib.inference.card import InputSpec, ModelCard, OutputSpec
from tests.support.bundles import card_fields

CONTRACT = {
    "pixels": {"value": "scaled to -1..1", "from": "assumption", "reason": "not known from the model"},
    "scores": {"value": "sigmoid", "from": "graph", "reason": "the last operator is a sum"},
    "resize": {"value": "nearest", "from": "assumption", "reason": "Keras's default"},
}


class TestModelCard:
    def test_to_dict_gives_back_what_from_dict_read_and_the_version(self):
        fields = card_fields()
        card = ModelCard.from_dict(fields)
        written = json.loads(json.dumps(card.to_dict()))
        assert written == {**fields, "version": fields["sha256"][:12]}
        assert ModelCard.from_dict(written) == card

    def test_the_summary_names_the_model(self):
        card = ModelCard.from_dict(card_fields())
        assert card.summary() == {
            "name": "channels_float",
            "version": card.sha256[:12],
            "quantization": "float32",
            "trained": True,
        }

    def test_the_summary_warns_of_an_untrained_model(self):
        summary = ModelCard.from_dict(card_fields(trained=False)).summary()
        assert summary["trained"] is False
        assert summary["warning"] == "untrained: the weights are random, and so are the answers"

    def test_what_may_be_left_out(self):
        fields = card_fields()
        del fields["source"], fields["verification"], fields["output"]["scores"], fields["output"]["label_offset"]
        card = ModelCard.from_dict(fields)
        assert (card.source, card.verification, card.output) == ({}, {}, OutputSpec(3, "probabilities", 0))
        assert (card.input.resize, card.output.binary, card.contract) == ("bilinear", False, {})

    def test_what_later_cards_have_is_written_only_if_it_says_something(self):
        fields = card_fields("one_output", contract=CONTRACT)
        fields["input"]["resize"] = "tf-bilinear"
        written = json.loads(json.dumps(ModelCard.from_dict(fields).to_dict()))
        assert written == {**fields, "version": fields["sha256"][:12]}
        fields["input"]["resize"], fields["output"]["binary"], fields["contract"] = "bilinear", False, {}
        written = ModelCard.from_dict(fields).to_dict()
        assert "resize" not in written["input"] and "binary" not in written["output"] and "contract" not in written

    @pytest.mark.parametrize("field", ["name", "sha256", "size_bytes", "quantization", "trained", "input", "output"])
    def test_what_may_not_be_left_out_is_named(self, field):
        fields = card_fields()
        del fields[field]
        with pytest.raises(ModelError, match=f"'{field}'"):
            ModelCard.from_dict(fields)

    @pytest.mark.parametrize("fields", [None, 1, "card", [], [1], {}, {"input": None}, {"input": []}, {"input": "x"}])
    def test_what_is_no_card_is_refused(self, fields):
        with pytest.raises(ModelError, match="the model card"):
            ModelCard.from_dict(fields)

    def test_reading_leaves_the_given_dict_alone(self):
        fields = card_fields()
        ModelCard.from_dict(fields)
        assert fields == card_fields()


class TestInputSpec:
    GOOD = InputSpec(8, 8, "RGB", 1.0, (0.0,) * 3, (1.0,) * 3)

    @pytest.mark.parametrize(("color", "channels"), [("RGB", 3), ("BGR", 3), ("L", 1)])
    def test_channels(self, color, channels):
        assert InputSpec(8, 8, color, 1.0, (0.0,) * channels, (1.0,) * channels).channels == channels

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"width": 0}, "input is 0x8"),
            ({"height": -1}, "input is 8x-1"),
            ({"width": 8.0}, "input is 8.0x8"),
            ({"height": True}, "input is 8xTrue"),
            ({"color": "RGBA"}, "input.color is 'RGBA', expected one of RGB, BGR, L"),
            ({"crop": 0}, "input.crop is 0, expected more than 0 and at most 1"),
            ({"crop": float("nan")}, "input.crop is nan"),
            ({"mean": (0.0,)}, "input.mean has 1 values for 3 channels"),
            ({"std": (1.0,) * 4}, "input.std has 4 values for 3 channels"),
            ({"std": (1.0, 0.0, 1.0)}, "input.std has a 0"),
            ({"color": "L"}, "input.mean has 3 values for 1 channels"),
            ({"resize": "bicubic"}, "input.resize is 'bicubic', expected one of bilinear, area, nearest, tf-bilinear"),
            ({"resize": None}, "input.resize is None"),
            ({"resize": ["area"]}, "input.resize is ['area']"),
        ],
        ids=str,
    )
    def test_what_cannot_be_served_is_refused(self, change, complaint):
        with pytest.raises(ModelError) as caught:
            self.GOOD._replace(**change).checked()
        assert complaint in str(caught.value)


class TestOutputSpec:
    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            ({"classes": 0}, "output.classes is 0"),
            ({"classes": 3.0}, "output.classes is 3.0"),
            ({"scores": "softmax"}, "output.scores is 'softmax', expected one of probabilities, logits, sigmoid"),
            ({"binary": 1}, "output.binary is 1, expected true or false"),
            ({"binary": None}, "output.binary is null"),
            ({"binary": True}, "output.binary is true with 3 classes, label_offset 0 and scores probabilities"),
            ({"binary": True, "classes": 2, "label_offset": 1}, "with 2 classes, label_offset 1"),
            ({"binary": True, "classes": 2, "scores": "logits"}, "scores logits: expected 2, 0, probabilities or"),
            ({"label_offset": -1}, "output.label_offset is -1"),
            ({"label_offset": 1.0}, "output.label_offset is 1.0"),
        ],
        ids=str,
    )
    def test_what_cannot_be_served_is_refused(self, change, complaint):
        with pytest.raises(ModelError) as caught:
            OutputSpec(**{"classes": 3, **change}).checked()
        assert complaint in str(caught.value)

    @pytest.mark.parametrize(
        ("spec", "outputs"),
        [
            (OutputSpec(3), 3),
            (OutputSpec(3, "logits", 1), 4),
            (OutputSpec(2, "sigmoid"), 2),
            (OutputSpec(2, "sigmoid", 0, True), 1),
        ],
        ids=str,
    )
    def test_how_many_values_the_model_returns(self, spec, outputs):
        assert spec.outputs == outputs


class TestContract:
    def test_what_is_assumed_is_a_sentence_each(self):
        assert evidence.assumptions(CONTRACT) == [
            "pixels: assumed to be scaled to -1..1; not known from the model",
            "resize: assumed to be nearest; Keras's default",
        ]
        assert evidence.assumptions({}) == evidence.assumptions({"scores": CONTRACT["scores"]}) == []

    @pytest.mark.parametrize("kind", evidence.EVIDENCE)
    def test_every_kind_of_evidence_is_read(self, kind):
        contract = {"pixels": {**CONTRACT["pixels"], "from": kind}}
        assert ModelCard.from_dict(card_fields(contract=contract)).contract == contract

    @pytest.mark.parametrize(
        "change",
        [
            {"value": ""},
            {"value": 5},
            {"from": "x"},
            {"from": []},
            {"reason": None},
            {"reason": "x" * 1001},
            {"more": "x"},
        ],
        ids=lambda change: str(change)[:40],
    )
    def test_a_part_that_says_less_or_more_is_refused(self, change):
        with pytest.raises(
            ModelError, match=r"contract.pixels is a JSON object.*, expected an object of the texts value"
        ):
            ModelCard.from_dict(card_fields(contract={"pixels": {**CONTRACT["pixels"], **change}}))
