"""Every service answers its probes and its metrics."""

import httpx2
import pytest
from journey import until

from devstack.components import SERVICES, Service
from devstack.stack import Stack
from resapermis_testing.certificates import NOBODY

pytestmark = pytest.mark.xdist_group("stack")


@pytest.mark.req("P-01", "P-04")
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_each_service_answers_its_metrics_and_that_it_is_ready(stack: Stack, service: Service) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{stack.ports.metrics(service)}", timeout=5, verify=NOBODY) as port:
        assert port.get("/healthz").status_code == 200
        until(lambda: port.get("/readyz").status_code == 200, f"{service.name} to be ready")
        metrics = port.get("/metrics")
    assert metrics.status_code == 200
    names = {line.split(" ")[2] for line in metrics.text.splitlines() if line.startswith("# TYPE ")}
    assert {"resapermis_rpc_seconds", "process_resident_memory_bytes"} <= names
