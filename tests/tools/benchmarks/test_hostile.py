"""What the tool judges by: mutants that can be made again, bombs that are what they claim, promises that can break."""

import io
import itertools
import random
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.hostile import blast, fuzz, mutations, plain, promises, samples
from benchmarks.hostile.bombs import gif, jpeg, png, webp
from benchmarks.hostile.folder import Outcome, Reply
from benchmarks.hostile.mutator import fault_of, smaller
from benchmarks.hostile.processes import Child, Crash
from benchmarks.hostile.requests import REQUESTS
from benchmarks.hostile.subject import Fault
from tests.support.pictures import chunk

PNG = samples.samples()["png_RGB_0.png"]
DIES = "import os, sys; print('{}', flush=True); sys.stdin.readline(); os.kill(os.getpid(), 11)"
ANSWERS = """
import sys
print('{}', flush=True)
for line in sys.stdin:
    sys.exit(3) if 'die' in line else print(line, flush=True)
"""
HANGS = "print('{}', flush=True)\nwhile True: pass"


def reply(
    status: int, digest: str = "a", cpu_s: float = 0.001, peak_mb: float = 5, files: int = 8, left: int = 0
) -> Reply:
    return Reply(status, "", digest, cpu_s, peak_mb, files, left, 0)


def outcome(*replies: Reply, kind: str = "PNG", error: str = "", pixels: str = "") -> Outcome:
    return Outcome(Path("f"), "x", kind, error, pixels, dict(zip(("json", "raw", "stored"), replies, strict=False)))


def broken(outcomes: list[Outcome], timed: bool = False) -> list[str]:
    return [promise.text for promise in promises.of_folder(outcomes, timed) if not promise.kept]


class TestPromises:
    good = outcome(reply(200), reply(200), reply(200))

    def test_good_answers_break_none(self):
        assert broken([self.good] * 200, timed=True) == []

    @pytest.mark.parametrize(
        ("bad", "says"),
        [
            (outcome(reply(500), reply(500), reply(0)), "no 5xx"),
            (outcome(reply(-1), reply(200), reply(200)), "no crash"),
            (outcome(*[reply(200)] * 3, error="broken", pixels="broken"), "whose strict load fails"),
            (outcome(reply(200), reply(200, "b"), reply(200)), "the same answer on every way in"),
            (outcome(reply(200), reply(422), reply(200)), "the same answer on every way in"),
            (outcome(*[reply(200, peak_mb=401)] * 3), "400 MB"),
            (outcome(reply(200), reply(200, files=11), reply(200)), "no file, socket or process"),
            (outcome(reply(200), reply(200, left=1), reply(200)), "no file, socket or process"),
            (outcome(*[reply(200, cpu_s=0.7)] * 3), "worst 0.6 s"),
        ],
    )
    def test_each_can_break(self, bad, says):
        assert any(says in text for text in broken([self.good] * 200 + [bad], timed=True))

    def test_the_share_is_of_what_pillow_decodes(self):
        refused = outcome(*[reply(413)] * 3)
        other = outcome(*[reply(415)] * 3, kind="other")
        undecodable = outcome(*[reply(422)] * 3, error="broken")
        assert broken([self.good] * 199 + [refused] + [other, undecodable] * 100) == []
        assert "99.3%" in broken([self.good] * 198 + [refused] * 2)[0]
        assert broken([self.good] * 10 + [refused] * 5) == []  # too few for a share

    def test_a_picture_whose_text_alone_is_damaged_is_no_wrong_answer(self):
        assert broken([outcome(*[reply(200)] * 3, error="broken text", pixels="")]) == []


class TestPlainPillow:
    def test_what_holds_no_pixels_does_not_count(self):
        damaged = PNG[:33] + chunk(b"tEXt", b"a\0b")[:-1] + b"!" + PNG[33:]
        assert plain.verdict(damaged)["plain"] != ""
        assert plain.verdict(damaged)["pixels"] == ""

    def test_damaged_pixels_count(self):
        damaged = bytearray(PNG)
        damaged[60] ^= 1
        found = plain.verdict(bytes(damaged))
        assert found["plain"] and found["pixels"]

    @pytest.mark.parametrize("name", sorted(samples.samples()))
    def test_the_samples_decode_whole_and_without_extras(self, name):
        data = samples.samples()[name]
        assert plain.verdict(data)["plain"] == ""
        assert plain.loads(plain.pixels_only(data))[0] == ""


class TestChildren:
    def test_a_crash_is_named(self):
        with Child([sys.executable, "-c", DIES]) as child, pytest.raises(Crash, match="SIGSEGV"):
            child.ask({})

    def test_a_process_that_takes_too_long_is_ended(self):
        with (
            Child([sys.executable, "-c", HANGS], limit_s=1) as child,
            pytest.raises(Crash, match="no answer within 1 s"),
        ):
            child.ask({})

    def test_the_next_line_gets_another_process(self):
        with Child([sys.executable, "-c", ANSWERS]) as child:
            with pytest.raises(Crash, match="exit code 3"):
                child.ask({"a": "die"})
            assert child.ask({"a": 1}) == {"a": 1}


class TestMutants:
    SEEDS = tuple(samples.samples().values())

    def test_the_same_seed_and_number_give_the_same_mutant_and_others_another(self):
        assert mutations.mutant(self.SEEDS, 1, 7) == mutations.mutant(self.SEEDS, 1, 7)
        assert len({mutations.mutant(self.SEEDS, seed, number) for seed in (1, 2) for number in range(50)}) > 90

    def test_checksums_are_mended_in_part_of_the_pngs(self):
        made = [mutations.mutant([PNG], 1, number) for number in range(200)]
        valid = [data for data in made if data[:8] == PNG[:8] and mutations.with_checksums(data) == data]
        assert 60 < len(valid) < 195

    @pytest.mark.parametrize("name", ["png_RGB_0.png", "jpeg_RGB_1.jpeg", "webp_RGBA_1.webp", "gif_P_0.gif"])
    def test_a_file_is_its_pieces(self, name):
        data = samples.samples()[name]
        assert b"".join(mutations.pieces(data)) == data

    def test_every_mutation_takes_what_is_empty(self):
        for mutation, number in itertools.product(mutations.MUTATIONS, range(20)):
            mutation(bytearray(), random.Random(number), [b"x"])

    def test_a_finding_is_made_smaller(self):
        class Subject:
            def make(self, seed, number):
                raise NotImplementedError

            def try_out(self, mutant, number):
                if b"BAD" in mutant:
                    raise Fault("found: it")
                return False

        mutant = bytes(500) + b"BAD" + bytes(500)
        assert fault_of(Subject(), mutant, 0) == ("found: it", False)
        assert len(smaller(Subject(), mutant, 0, "found: it")) < 20

    def test_a_crash_costs_one_of_them(self, tmp_path):
        script = tmp_path / "script.py"
        script.write_text(
            "import json, os, sys\n"
            "path = sys.argv[1]\n"
            "print('{}', flush=True)\n"
            "for line in sys.stdin:\n"
            "    asked = json.loads(line)\n"
            "    for number in range(asked['first'], asked['first'] + asked['count']):\n"
            "        open(path, 'wb').write(number.to_bytes(8, 'little'))\n"
            "        if number == 5: os.abort()\n"
            "    print(json.dumps({'accepted': asked['count'], 'findings': []}), flush=True)\n"
        )
        progress = tmp_path / "progress"
        progress.write_bytes(bytes(8))
        with fuzz.Tried([sys.executable, str(script), str(progress)], progress) as child:
            findings, accepted = child.try_all("pictures", 1, 0, 10)
        assert [(finding.number, finding.fault) for finding in findings] == [(5, "crash: SIGABRT")]
        assert accepted == 4


class TestBombs:
    def test_there_are_bombs_of_every_format_and_names_differ(self):
        made = list(blast.all_bombs())
        counts = {name: sum(kind == name for kind, _ in made) for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP")}
        assert min(counts.values()) > 40
        assert len({(kind, bomb.name) for kind, bomb in made}) == len(made)

    @pytest.mark.parametrize(
        "data",
        [
            jpeg.sequential(jpeg.BASELINE, 300, 200, jpeg.COLOR),
            jpeg.several(jpeg.PROGRESSIVE, 300, 200, jpeg.COLOR, 30),
            jpeg.several(jpeg.ARITHMETIC_PROGRESSIVE, 300, 200, jpeg.CMYK, 5),
            jpeg.restarting(300, 200, 0),
            jpeg.separate(jpeg.BASELINE, 300, 200, jpeg.COLOR),
            jpeg.separate(jpeg.ARITHMETIC, 300, 200, jpeg.COLOR),
            png.plain(300, 200, 16, 6, interlaced=True),
            png.plain(300, 200, 1, 3),
            png.filtered(300, 200, 4),
            webp.riff(webp.lossless(300, 200)),
            webp.riff(webp.lossy(300, 200)),
            webp.with_alpha(300, 200, 0),
            gif.whole(300, 200, True, 0),
        ],
    )
    def test_pillow_decodes_them(self, data):
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert image.size == (300, 200)

    def test_a_bomb_that_grows_fills_its_size(self):
        for _, bomb in blast.all_bombs():
            if bomb.grows and "before the" in bomb.name:
                assert 0.3 < len(bomb.make(200_000)) / 200_000 <= 1, bomb.name


def test_there_are_400_requests_made_by_hand() -> None:
    assert len({sent.name for sent in REQUESTS}) == len(REQUESTS) >= 400
    assert {sent.status for sent in REQUESTS} == {200, 400, 404, 405, 413, 415, 422}
