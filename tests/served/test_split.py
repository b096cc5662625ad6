import hashlib
import math
import subprocess
import sys

import pytest

from chalicelib.split import Split, dealt

HALF = Split("spring", "digits", "digits-f16", 0.5)
KEYS = [f"photos/{number}.jpg" for number in range(20_000)]


def arm_before(experiment: str, weight: float, key: str) -> str:
    """The formula of the releases before `dealt`, written out."""
    digest = hashlib.sha256(f"{experiment}\0{key}".encode()).digest()
    return "B" if int.from_bytes(digest[:8]) < weight * 2**64 else "A"


class TestDealt:
    @pytest.mark.parametrize("weight", [0.0, 1e-9, 0.1, 0.3, 0.5, 0.97, 1.0])
    @pytest.mark.parametrize("experiment", ["spring", "spring\0shadow"])
    def test_it_deals_10_000_keys_as_before(self, experiment, weight):
        arms = [arm_before(experiment, weight, key) for key in KEYS[:10_000]]
        assert [Split(experiment, "a", "b", weight).arm(key) for key in KEYS[:10_000]] == arms
        assert ["B" if dealt(experiment, key) < weight else "A" for key in KEYS[:10_000]] == arms

    def test_it_does_so_where_the_weight_is_a_keys_own_number_or_next_to_it(self):
        for key in KEYS[:2_000]:
            number = dealt("spring", key)
            for weight in (math.nextafter(number, 0), number, math.nextafter(number, 1)):
                assert Split("spring", "a", "b", weight).arm(key) == arm_before("spring", weight, key)

    def test_it_stays_below_1(self, monkeypatch):
        monkeypatch.setattr(hashlib, "sha256", lambda data: type("Digest", (), {"digest": lambda self: b"\xff" * 32})())
        assert 0.9999 < dealt("spring", "key") < 1


class TestArm:
    @pytest.mark.parametrize("weight", [0.01, 0.2, 0.5, 0.9])
    def test_the_share_of_b_is_the_weight_within_chance(self, weight):
        in_b = sum(Split("spring", "a", "b", weight).arm(key) == "B" for key in KEYS)
        sigma = math.sqrt(len(KEYS) * weight * (1 - weight))
        assert abs(in_b - weight * len(KEYS)) < 4 * sigma

    @pytest.mark.parametrize(("weight", "arms"), [(0.0, {"A"}), (1.0, {"B"})])
    def test_all_or_nothing(self, weight, arms):
        assert {Split("spring", "a", "b", weight).arm(key) for key in KEYS} == arms

    def test_a_larger_weight_moves_keys_to_b_only(self):
        few, many = (Split("spring", "a", "b", weight) for weight in (0.1, 0.3))
        assert all(many.arm(key) == "B" for key in KEYS if few.arm(key) == "B")

    def test_another_experiment_deals_independently(self):
        other = Split("autumn", "digits", "digits-f16", 0.5)
        both = sum(HALF.arm(key) == other.arm(key) == "B" for key in KEYS)
        assert abs(both - len(KEYS) / 4) < 4 * math.sqrt(len(KEYS) * 3 / 16)

    def test_it_is_the_same_in_every_process(self):
        script = (
            "import sys; from chalicelib.split import Split; s = Split('spring', 'a', 'b', 0.5);"
            "print(''.join(s.arm(key) for key in sys.argv[1:]))"
        )
        run = subprocess.run([sys.executable, "-c", script, *KEYS[:500]], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == "".join(HALF.arm(key) for key in KEYS[:500])

    def test_any_text_is_a_key(self):
        assert {HALF.arm(key) for key in ("", "ключ", "a\0b", "x" * 1024)} <= {"A", "B"}

    def test_it_does_not_change_with_the_code(self):
        """Who is in which arm must outlive a release; these are by sha256sum: B where it begins with 0 to 7."""
        assert "".join(HALF.arm(key) for key in KEYS[:16]) == "AABBBABBBAAABAAB"


def test_each_arm_has_its_model():
    assert [HALF.model(arm) for arm in ("A", "B")] == ["digits", "digits-f16"]
