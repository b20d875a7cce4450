"""The pages of one proxy's status."""

from .collector import Exposition, Proxy
from .readiness import Obstacle, Reason
from .status import Page, Pages, json_page

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def pages_of(proxy: Proxy) -> Pages:
    """Path -> what makes the page."""
    exposition = Exposition(proxy)

    async def metrics() -> Page:
        return Page(200, await exposition.render(), TEXT)

    def healthz() -> Page:
        faults = proxy.faults()
        return json_page({"healthy": not faults, "faults": faults}, 503 if faults else 200)

    def readyz() -> Page:
        obstacles = proxy.obstacles()
        failing = [
            Obstacle(Reason.CREDENTIAL_FAILING, f"{name}: {error}")
            for name, error in proxy.credentials().items()
            if error
        ]
        shown = [obstacle.shown() for obstacle in (*obstacles, *failing)]
        return json_page({"ready": not obstacles, "reasons": shown}, 503 if obstacles else 200)

    pages: Pages = {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz}
    return {"/": lambda: json_page({"pages": list(pages)}), **pages}
