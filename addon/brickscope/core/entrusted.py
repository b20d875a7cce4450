"""What an operator entrusts to the proxy: credentials by name, where their secrets come from, and where they may be used.

Plain data, without a secret in it. ``brickscope.policy.credentials`` reads it from the operator's file, and
``brickscope.identity`` has the secrets.
"""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What the secret is."""

    TOKEN = "token"  # noqa: S105 - no password
    """What is sent."""
    DATABRICKS = "databricks_service_principal"
    """Of a service principal, to which the host of the call gives a token for an hour."""
    AZURE = "azure_service_principal"
    """Of an application in a tenant of Microsoft Entra ID, which gives such a token."""


class Source(NamedTuple):
    """Where a secret comes from; one of them. ``file``: an absolute path. ``command``: a program and its arguments."""

    file: str | None = None
    environment: str | None = None
    command: tuple[str, ...] = ()


class Entrusted(NamedTuple):
    """One credential. ``workspaces``: as ``Subject`` has them. ``client_id``: of a service principal; ``tenant``, ``login``:
    of one of Azure, with the host that it gets tokens from."""

    name: str
    kind: Kind
    source: Source
    workspaces: frozenset[str]
    client_id: str = ""
    tenant: str = ""
    login: str = ""
