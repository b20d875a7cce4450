"""The names of the catalogue are those of the official SDK's clients, as a user types them."""

import inspect
from functools import cache
from typing import Any

import databricks.sdk
import pytest

from brickscope.catalog.catalog import load_catalog

# The one class of the SDK (0.162) that no client holds: service/bundle.py, an older twin of bundledeployments.py.
WITHOUT_CLIENT = {"bundle"}


def sdk_services() -> list[str]:
    names = [operation.name for operation in load_catalog().operations.values() if operation.source == "sdk"]
    return sorted({name.rpartition(".")[0] for name in names})


@cache
def client_class(service: str) -> Any:
    """The class behind ``jobs`` or ``account.settings.personal_compute``, read from the properties' annotations."""
    client, *attributes = service.split(".")
    owner: Any = databricks.sdk.AccountClient
    if client != "account":
        owner, attributes = databricks.sdk.WorkspaceClient, [client, *attributes]
    for attribute in attributes:
        found = inspect.getattr_static(owner, attribute)
        owner = found.fget.__annotations__["return"]
        if isinstance(owner, str):
            owner = getattr(databricks.sdk, owner.rpartition(".")[2])
    return owner


@pytest.mark.parametrize("service", sdk_services())
def test_every_operation_is_a_method_of_the_client(service: str) -> None:
    if service in WITHOUT_CLIENT:
        assert not hasattr(databricks.sdk.WorkspaceClient, service)
        return
    methods = {
        operation.name.rpartition(".")[2]
        for operation in load_catalog().operations.values()
        if operation.source == "sdk" and operation.name.rpartition(".")[0] == service
    }
    assert methods
    assert [
        name for name in sorted(methods) if not callable(getattr(client_class(service), name, None))
    ] == []


def test_both_clients_are_covered() -> None:
    services = sdk_services()
    assert {"jobs", "catalogs", "current_user", "settings.default_namespace"} <= set(services)
    assert {"account.workspaces", "account.settings.personal_compute"} <= set(services)
