"""Two thousand mixed requests in one process: the same answers, no growth, nothing carried over."""

import json
import random
import resource
import sys
from pathlib import Path

import pytest

from chalicelib.api.views import Api
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.store import ModelStore
from tests.support.bundles import DATA_DIR, write_bundle
from tests.support.pictures import encode, png_claiming, quarters, scan_bomb
from tests.support.requests import FakeRequest, b64, image_request, json_request, settled

REQUESTS, WARM_UP = 2000, 500
GROWTH_LIMIT_MB = 4


def rss_mb() -> float:
    """What the process holds at present; not the peak."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def mixed_requests(api: Api) -> list[tuple]:
    """(view, request) of every kind: two models, every format, every refusal."""
    seven = (DATA_DIR / "seven.png").read_bytes()
    pictures = [encode(quarters(200 + 40 * i, 150), fmt) for i, fmt in enumerate(("JPEG", "PNG", "WEBP", "GIF", "BMP"))]
    refused = [b"", b"no", seven[:90], pictures[0][:400], png_claiming(20_000, 3), scan_bomb(300), bytes(1_200_000)]
    return [
        *((api.predict_image, image_request(data)) for data in (seven, *pictures, *refused)),
        *((api.predict_image, image_request(data, model="channels_float", top_k="3")) for data in pictures),
        *((api.predict, json_request({"image": b64(data), "top_k": 1 + i})) for i, data in enumerate(pictures)),
        (api.predict, json_request({"instances": [{"b64": b64(data)} for data in (seven, *pictures)], "top_k": 2})),
        (api.predict, json_request({"instances": [{"b64": b64(seven)}, {"b64": "!!"}]})),
        (api.predict, json_request({"image": b64(seven), "model": "nobody"})),
        (api.predict, FakeRequest(b"[" * 50_000, {})),
        (api.models, FakeRequest(path="/models")),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_2000_mixed_requests(tmp_path, capsys):
    write_bundle(tmp_path)
    given = Settings(model_dirs=(EMBEDDED_MODELS, tmp_path), model_name="digits", max_body_bytes=1_000_000)
    api = Api(given, ModelStore(given))
    requests = mixed_requests(api)

    def answer(number: int) -> str:
        view, request = requests[number]
        response = view(request)
        assert response.status_code < 500
        return json.dumps([response.status_code, settled(json.loads(response.body))], default=list)

    wanted = [answer(number) for number in range(len(requests))]
    assert len({want[:5] for want in wanted}) == 6  # 200, 400, 404, 413, 415, 422
    order = random.Random(1)
    for count in range(REQUESTS):
        if count == WARM_UP:
            warm_mb = rss_mb()
        number = order.randrange(len(requests))
        assert answer(number) == wanted[number]
        capsys.readouterr()
    assert rss_mb() - warm_mb < GROWTH_LIMIT_MB
