"""Tokens of Microsoft Entra ID as literals: good ones, to be changed one claim at a time, and a policy that knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from brickscope.core.entra import RESOURCE
from brickscope.core.policy import Policy
from brickscope.policy.load import load_policy
from core.oauth import NOW, RSA_KEY, signed
from lab.workspace.entra import APPLICATION, OBJECT, TENANT

OTHER_TENANT = "11111111-5e44-4c97-a497-ef015f91254a"
OTHER_OBJECT, OTHER_APPLICATION = (
    "aaaaaaaa-0000-4000-8000-000000000002",
    "bbbbbbbb-0000-4000-8000-000000000002",
)
PERSON, CLI = "cccccccc-0000-4000-8000-000000000001", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
V1, V2 = f"https://sts.windows.net/{TENANT}/", f"https://login.microsoftonline.com/{TENANT}/v2.0"
V1_KEYS = f"https://login.microsoftonline.com/{TENANT}/discovery/keys"
V2_KEYS = f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys"
POLICY = f"""\
version: 1
tenants:
  company:
    tenant: {TENANT}
service_principals:
  etl:
    tenant: company
    object_id: {OBJECT}
    rule_set: reader
  deploy:
    tenant: company
    application_id: {OTHER_APPLICATION}
    rule_set: reader
users:
  ada:
    tenant: company
    object_id: {PERSON}
    rule_set: reader
rule_sets:
  reader:
    allow:
      - GET /api/2.1/unity-catalog/catalogs
"""


def load(folder: Path, text: str = POLICY, **key_files: bytes) -> Policy:
    """The policy as it is loaded from a file."""
    (folder / "p.yaml").write_text(text)
    for name, content in key_files.items():
        (folder / f"{name}.jwks.json").write_bytes(content)
    return load_policy(folder, NOW).policy


def app_claims(version: str = "1.0", **changes: Any) -> dict[str, Any]:
    """The claims of an application's own token; a change to None takes a claim out."""
    issuer, name = (V1, "appid") if version == "1.0" else (V2, "azp")
    claims = {
        "aud": RESOURCE,
        "iss": issuer,
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 3600,
        name: APPLICATION,
        f"{name}acr": "1",
        "idp": V1,
        "oid": OBJECT,
        "rh": "0.AAAA",
        "sub": OBJECT,
        "tid": TENANT,
        "uti": "x",
        "ver": version,
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def person_claims(version: str = "1.0", **changes: Any) -> dict[str, Any]:
    """The same of a person's token, which the Azure CLI asked for."""
    name, shown = ("appid", "unique_name") if version == "1.0" else ("azp", "preferred_username")
    person = {
        name: CLI,
        "oid": PERSON,
        "sub": "l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA",
        "scp": "user_impersonation",
        "name": "Ada",
        shown: "ada@example.com",
        **({"upn": "ada@example.com"} if version == "1.0" else {}),
    }
    return app_claims(version, **{**person, **changes})


def token(claims: dict[str, Any], key: Any = RSA_KEY, kid: str = "key-1") -> bytes:
    """The token with these claims."""
    return signed(claims, key=key, kid=kid)
