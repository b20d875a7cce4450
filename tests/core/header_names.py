"""Header names that must not reach a workspace: the tests' own lists, so that none can leave the code unseen.

Never import these from the code. What is refused for a longer word of it (a prefix) stands here by examples.
"""

# ruff: noqa: SIM905 - lists that read as words

from __future__ import annotations

CREDENTIALS = """
    x-auth x-auth-key x-access-key ocp-apim-subscription-key x-bearer x-oauth x-saml
    cookie cookie2 proxy-authorization authentication x-authorization x-auth-token x-access-token x-api-key api-key
    x-csrf-token x-xsrf-token x-databricks-gcp-sa-access-token
    x-databricks-user-token x-databricks-non-uc-user-token x-databricks-token x-goog-api-key authorization_
    x-user-jwt x-client-secret private-token x-vault-credential xauthtoken x-password x-session x-databricks-session
    x-databricks-api-token x-amz-security-token x-ms-authorization-auxiliary x-goog-iam-authorization-token
    x-serverless-authorization x-forwarded-access-token
""".split()
"""Second credentials."""

OVERRIDES = """
    x-ms-client-principal x-on-behalf-of impersonate-group x-script-name x-identity x-authenticated-userid
    x-http-method-override x-http-method x-method-override x-method
    x-original-url x-original-uri x-original-host x-original-path x-original-method x-rewrite-url x-override-url
    x-accel-redirect x-host x-http-host-override x-http-destinationurl x-http-path-translated x-proxy-url
    request-uri destination base-url
    forwarded x-real-ip x-client-ip x-client-cert x-true-client-ip true-client-ip client-ip cluster-client-ip
    x-cluster-client-ip x-originating-ip x-remote-ip x-remote-addr x-ssl-client-cert ssl-client-cert
    x-azure-clientip cf-connecting-ip fastly-client-ip
    proxy-connection http2-settings content-transfer-encoding
    x-http-verb x-rest-method x-remote-user remote-user x-user x-databricks-self
    x-forwarded-for x-forwarded-host x-forwarded-proto x-forwarded-uri x-forwarded-method
    x-forwarded-user x-envoy-original-path x-envoy-external-address x-brickscope-reason x-brickscope-decision
    x-original-forwarded-for x-middleware-subrequest
""".split()
"""Change the method, path, host, user or client behind the proxy's back, or are for another hop."""

PSEUDO = [
    ":method",
    ":path",
    ":authority",
    ":scheme",
    ":protocol",
]
"""Of HTTP/2, spelt as headers."""

ONCE = """
    host connection te expect transfer-encoding content-type user-agent content-length content-encoding content-range
    range accept-encoding x-databricks-workspace-id x-databricks-org-id x-databricks-cluster-id
    x-databricks-session-id
""".split()
"""What a request may have once, since two readers could take two of it."""

QUERY_CREDENTIALS = """
    access_token accesstoken api_key api_token apikey assertion auth_token authorization bearer bearer_token
    client_assertion client_secret code_verifier id_token jwt oauth_token password refresh_token sig subject_token
    actor_token token x-amz-credential x-amz-security-token x-amz-signature x-goog-credential x-goog-signature
    x-databricks-token
""".split()
"""Parameters of a query that carry a credential, whatever their value."""

TOKENS = [
    "dapi" + "0123456789abcdef" * 2,
    "dapi" + "0123456789abcdef" * 2 + "-2",
    "dkea" + "0123456789abcdef" * 2,
    "dose" + "0123456789abcdef" * 2,
    "doau" + "0123456789abcdef" * 2,
    "dsapi" + "0123456789ABCDEF" * 2,
    "ya29.a0AfB_byC-abcdefghijklmnop",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0xyz.c2lnbmF0dXJl",
    "eyJhbGciOiJ.eyJzdWIi",  # the shortest of them all
]
"""One of each kind of token that is known by its shape."""
