"""The reasons as a contract: each code, and what monitor mode may make of it, in a list of the tests' own."""

from __future__ import annotations

from brickscope.core.reason import Kind, Reason
from core.refusal import assert_tells

KINDS = {
    Kind.ALLOW: "allowed_by_rule allowed_by_grant allowed_without_credential",
    # These alone may go on in monitor mode of a subject, a rule set or the proxy.
    Kind.POLICY: """no_rule_matches unknown_operation constraint_not_met denied_by_rule expired client_not_allowed
        workspace_not_allowed grant_not_allowed""",
    # These alone, in monitor mode of the whole proxy.
    Kind.SUBJECT: """missing_credential unknown_token unsupported_credential unknown_principal unknown_client
        wrong_issuer wrong_tenant wrong_audience unknown_key key_set_unavailable bad_signature token_expired
        token_not_yet_valid""",
    Kind.READING: """ambiguous_principal malformed_token algorithm_refused malformed_form malformed_credential
        multiple_credentials malformed_head malformed_body method_not_canonical path_not_canonical query_not_canonical
        host_mismatch target_not_origin_form http_version header_malformed header_duplicate header_forbidden upgrade_refused
        token_in_subprotocol trailers_refused too_large body_encoded body_not_json message_malformed body_duplicate_key
        body_too_deep parameter_twice parameter_misplaced too_complex""",
    Kind.FORBIDDEN: "grant_refused",
    Kind.PLACEHOLDER: """unknown_placeholder placeholder_misplaced placeholder_bypassed credential_not_allowed
        credential_unavailable""",
    Kind.DESTINATION: """not_encrypted not_tls server_name_mismatch port_not_allowed host_not_canonical
        host_not_in_scope proxy_header_refused other_host address_not_allowed""",
    Kind.INTERNAL: "internal_error audit_unavailable",
}


def test_each_code_is_of_its_kind() -> None:
    wanted = {code: kind for kind, codes in KINDS.items() for code in codes.split()}
    assert {reason.value: reason.kind for reason in Reason} == wanted


def test_every_reason_has_a_sentence() -> None:
    for reason in Reason:
        assert_tells(reason.sentence)
        assert reason.sentence.endswith(".")
        assert reason.value == reason.name.lower()
        assert Reason(reason.value) is reason
