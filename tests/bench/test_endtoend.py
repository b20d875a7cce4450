"""The end-to-end bench: each variant answers as is known of it, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.bench.endtoend import make_job, send
from lab.bench.variants import BARE, NAIVE, PRODUCT, Stage, Variant, open_stage

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the bench reads Linux's /proc"
)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_stage() as opened:
        yield opened
    assert not opened.folder.exists()


@pytest.mark.parametrize("variant", [BARE, NAIVE, PRODUCT], ids=lambda variant: variant.name)
def test_a_variant_answers_as_is_known_of_it(stage: Stage, variant: Variant) -> None:
    with stage.run(variant) as proxy:
        for denied in (False, True):
            run = send(
                make_job(stage, variant, proxy, "keep", denied=denied, connections=2, seconds=0.3), proxy
            )
            assert run.result.done > 0
            assert (run.result.wrong, run.result.errors) == (0, 0)
            assert run.result.opened == 2
            assert run.cpu > 0
        body = send(make_job(stage, variant, proxy, "upload", size=1_000_000), proxy)
        assert (body.result.wrong, body.result.errors) == (0, 0)
        pid = proxy.pid
        if variant is PRODUCT:
            assert stage.decisions_recorded() >= run.result.done
    assert not Path(f"/proc/{pid}").exists()
