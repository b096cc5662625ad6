"""Made-up samples of a bundle: what a tuning of three sizes might measure."""

from benchmarks.tune.measure import Samples
from benchmarks.tune.plan import Configuration

WARM_MS = {(512, 1): 80.0, (1769, 1): 22.3, (1769, 2): 21.8, (3538, 1): 22.1, (3538, 2): 20.9}


def samples(bundle="inception_v3"):
    found = {
        Configuration(bundle, memory_mb, threads): Samples(
            init_ms=[150.0, 170.0, 160.0],
            first_ms=[90.0, 95.0, 400.0],
            warm_ms=[warm_ms - 1, *[warm_ms] * 6, warm_ms + 1] + [warm_ms + 50] * 8,
            inference_ms=[15.0] * 8 + [40.0] * 8,
            disturbed_ms=[0.1] * 8 + [30.0] * 8,
            memory_mb=120,
        )
        for (memory_mb, threads), warm_ms in WARM_MS.items()
    }
    return {Configuration(bundle, 128, 1): Samples(unfit="does not fit: 131 MB were needed"), **found}
