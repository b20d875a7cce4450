"""Azure's second token: what an application that is not yet in a workspace shows beside its bearer.

``X-Databricks-Azure-SP-Management-Token`` is a token for Azure's own management, and the workspace lets its owner in as far
as Azure lets it manage ``X-Databricks-Azure-Workspace-Resource-Id`` (learn.microsoft.com/azure/databricks/dev-tools/auth,
"service principal that is not in the workspace"; databricks-sdk azure.py, which sends the token with and without the
resource). So it is a credential, and one of somebody else's would be a way round the policy.
"""

import re

from .decision import Principal, Refused
from .directory import Directory
from .fingerprint import fingerprint
from .policy import Policy, Subject
from .reason import Reason
from .request import ApiRequest

RESOURCE_ID = re.compile(
    r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourcegroups/[a-z0-9._()-]{1,90}"
    r"/providers/microsoft\.databricks/workspaces/[a-z0-9_-]{1,64}"
)
"""A workspace as Azure names it, in lower case. Azure compares these ids without case, and no name in one has letters beyond
ASCII (learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules)."""


def check_management(
    policy: Policy,
    subject: Subject,
    request: ApiRequest,
    principal: Principal | None,
    now: float,
    directory: Directory | None,
) -> Principal:
    """Refuse a second token, unless the policy gives the subject one and it is the subject's own. ``principal``: by the
    first one. Gives the same with the workspace that both are for.

    Raises Refused(MULTIPLE_CREDENTIALS), which holds in every mode, and NotYetKnown where keys have to be fetched first.
    """
    token = request.management
    assert token is not None
    if subject.azure_resource is None:
        raise _refused(f"the policy gives {subject.name!r} no azure_resource, which such a token requires")
    if directory is None or principal is None or principal.tenant is None:
        raise _refused("the first one is not a verified token of Entra ID")
    if request.azure_resource is not None and request.azure_resource.lower() != subject.azure_resource:
        raise _refused("X-Databricks-Azure-Workspace-Resource-Id is not the azure_resource of the policy")
    try:
        claims = directory.verify(policy, token, fingerprint(token), request.host, now, management=True)
    except Refused as refused:
        raise _refused(refused.detail) from None
    if (claims.tenant, claims.object_id, claims.sub, claims.client_id) != (
        principal.tenant,
        principal.object_id,
        principal.sub,
        principal.client_id,
    ):
        raise _refused("it does not belong to the same application as the first one")
    return principal._replace(azure_resource=subject.azure_resource)


def _refused(why: str) -> Refused:
    return Refused(
        Reason.MULTIPLE_CREDENTIALS,
        f"the token in X-Databricks-Azure-SP-Management-Token is a second credential: {why}",
    )
