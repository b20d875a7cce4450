"""Words that stand for what each model provider calls differently: one limit for calls of several forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brickscope.catalog.catalog import load_catalog
from brickscope.core.reason import Reason
from brickscope.policy.problem import PolicyError
from core.judged import judged, policy

YES, NOT_MET, DENIED = Reason.ALLOWED_BY_RULE, Reason.CONSTRAINT_NOT_MET, Reason.DENIED_BY_RULE
TWICE = Reason.PARAMETER_TWICE
SMALL = {"model": ["small", "tiny"], "max_tokens": {"max": 500}}
CHAT = "/serving-endpoints/chat/completions"
GATE = "/ai-gateway/mlflow/v1/chat/completions"
TALK = [{"role": "user", "content": "hi"}]

# operation, path, body, reason; a rule allows the operation where SMALL
CALLS: dict[str, tuple[str, str, dict[str, Any], Reason]] = {
    "chat": ("serving.chat_completions", CHAT, {"model": "small", "max_tokens": 9}, YES),
    "chat, the newer name": (
        "serving.chat_completions",
        CHAT,
        {"model": "tiny", "max_completion_tokens": 500},
        YES,
    ),
    "both names, both low": (
        "serving.chat_completions",
        CHAT,
        {"model": "small", "max_tokens": 5, "max_completion_tokens": 6},
        YES,
    ),
    "another model": ("serving.chat_completions", CHAT, {"model": "large", "max_tokens": 9}, NOT_MET),
    "no model": ("serving.chat_completions", CHAT, {"max_tokens": 9}, NOT_MET),
    "a list of models": (
        "serving.chat_completions",
        CHAT,
        {"model": ["small", "large"], "max_tokens": 9},
        NOT_MET,
    ),
    "no limit": ("serving.chat_completions", CHAT, {"model": "small"}, NOT_MET),
    "null is no limit": ("serving.chat_completions", CHAT, {"model": "small", "max_tokens": None}, NOT_MET),
    "too many tokens": ("serving.chat_completions", CHAT, {"model": "small", "max_tokens": 501}, NOT_MET),
    "too many by the newer name": (
        "serving.chat_completions",
        CHAT,
        {"model": "small", "max_completion_tokens": 501},
        NOT_MET,
    ),
    "low in the one, high in the other": (
        "serving.chat_completions",
        CHAT,
        {"model": "small", "max_tokens": 5, "max_completion_tokens": 5000},
        NOT_MET,
    ),
    "high in the one, low in the other": (
        "serving.chat_completions",
        CHAT,
        {"model": "small", "max_tokens": 5000, "max_completion_tokens": 5},
        NOT_MET,
    ),
    "a name in another case": (
        "serving.chat_completions",
        CHAT,
        {"model": "small", "max_tokens": 5, "maxTokens": 5000},
        TWICE,
    ),
    "no plain number": ("serving.chat_completions", CHAT, {"model": "small", "max_tokens": 4.5}, NOT_MET),
    "chat of the gateway": ("gateway.chat_completions", GATE, {"model": "small", "max_tokens": 9}, YES),
    "chat of the gateway, large": (
        "gateway.chat_completions",
        GATE,
        {"model": "large", "max_tokens": 9},
        NOT_MET,
    ),
    "K6: one gateway, only small models": (
        "gateway.chat_completions",
        "/ai-gateway/openai/v1/chat/completions",
        {"model": "m-large", "max_tokens": 9},
        NOT_MET,
    ),
    "responses": (
        "serving.responses",
        "/serving-endpoints/responses",
        {"model": "small", "max_output_tokens": 9},
        YES,
    ),
    "responses, too many": (
        "gateway.responses",
        "/ai-gateway/codex/v1/responses",
        {"model": "small", "max_output_tokens": 900},
        NOT_MET,
    ),
    "responses, the name of chat": (
        "gateway.responses",
        "/ai-gateway/codex/v1/responses",
        {"model": "small", "max_tokens": 9},
        NOT_MET,
    ),
    "messages": (
        "serving.messages",
        "/serving-endpoints/anthropic/v1/messages?beta=true",
        {"model": "small", "max_tokens": 9},
        YES,
    ),
    "messages, large": (
        "gateway.messages",
        "/ai-gateway/anthropic/v1/messages",
        {"model": "large", "max_tokens": 9},
        NOT_MET,
    ),
    "generateContent": (
        "serving.generate_content",
        "/serving-endpoints/gemini/v1beta/models/small:generateContent",
        {"generationConfig": {"maxOutputTokens": 9}},
        YES,
    ),
    "generateContent, the number as text, which JSON of protobuf may have": (
        "serving.generate_content",
        "/serving-endpoints/gemini/v1beta/models/small:generateContent",
        {"generationConfig": {"maxOutputTokens": "501"}},
        NOT_MET,
    ),
    "generateContent, another model": (
        "gateway.generate_content",
        "/ai-gateway/gemini/v1beta/models/large:generateContent",
        {"generationConfig": {"maxOutputTokens": 9}},
        NOT_MET,
    ),
    "generateContent, the other spelling of protobuf": (
        "gateway.generate_content",
        "/ai-gateway/gemini/v1beta/models/small:generateContent",
        {"generationConfig": {"maxOutputTokens": 9}, "generation_config": {"max_output_tokens": 9000}},
        TWICE,
    ),
    "generateContent, another model in the body": (
        "gateway.generate_content",
        "/ai-gateway/gemini/v1beta/models/small:generateContent",
        {"model": "models/large", "generationConfig": {"maxOutputTokens": 9}},
        TWICE,
    ),
    "streamGenerateContent": (
        "gateway.stream_generate_content",
        "/ai-gateway/gemini/v1beta/models/small:streamGenerateContent?alt=sse",
        {"generationConfig": {"maxOutputTokens": 9}},
        YES,
    ),
    "an endpoint": (
        "serving_endpoints.query",
        "/serving-endpoints/small/invocations",
        {"max_tokens": 9},
        YES,
    ),
    "another endpoint": (
        "serving_endpoints.query",
        "/serving-endpoints/large/invocations",
        {"max_tokens": 9},
        NOT_MET,
    ),
    "an endpoint, another model in the body": (
        "serving_endpoints.query",
        "/serving-endpoints/small/invocations",
        {"model": "large", "max_tokens": 9},
        NOT_MET,
    ),
    "an endpoint, more by what is handed to the model": (
        "serving_endpoints.query",
        "/serving-endpoints/small/invocations",
        {"max_tokens": 9, "extra_params": {"max_tokens": "9000"}},
        NOT_MET,
    ),
    "a served model": (
        "serving.query_served_model",
        "/serving-endpoints/small/served-models/a/invocations",
        {"max_completion_tokens": 9},
        YES,
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_limit_on_model_and_tokens(case: str, tmp_path: Path) -> None:
    operation, path, body, reason = CALLS[case]
    known = policy(tmp_path, {"operation": operation, "where": SMALL})
    assert judged(known, "POST", path, {"messages": TALK, **body}).reason is reason


@pytest.mark.parametrize("case", CALLS)
def test_a_deny_of_what_is_not_small(case: str, tmp_path: Path) -> None:
    """A deny of large models and of many tokens is passed by no call that says so in some parameter."""
    operation, path, body, _ = CALLS[case]
    known = policy(
        tmp_path,
        operation,
        deny=[
            {"operation": operation, "where": {"model": ["large", "m-large", "models/large"]}},
            {"operation": operation, "where": {"max_tokens": {"min": 501}}},
        ],
    )
    said = f"{path} {body}"
    if "large" in said or any(number in said for number in ("501", "900", "5000")):
        assert judged(known, "POST", path, {"messages": TALK, **body}).allow is False


def test_the_log_names_the_word_or_the_parameter_that_the_call_has(tmp_path: Path) -> None:
    known = policy(
        tmp_path, *({"operation": name, "where": SMALL} for name in ("serving.responses", "serving.messages"))
    )
    found = judged(
        known,
        "POST",
        "/serving-endpoints/responses",
        {"model": "small", "max_output_tokens": 9, "input": "x"},
    )
    assert found.params == {"model": "small", "max_tokens": 9}


EMBEDDED = "/ai-gateway/gemini/v1beta/models/small:batchEmbedContents"


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({"requests": [{"content": {}}]}, True),
        ({"requests": [{"model": "small", "content": {}}]}, True),
        ({"requests": [{"model": "small"}, {"model": "large"}]}, False),
    ],
)
def test_a_batch_names_a_model_for_each_request(body: dict[str, Any], allowed: bool, tmp_path: Path) -> None:
    known = policy(tmp_path, {"operation": "gateway.embed_content", "where": {"model": "small"}})
    assert judged(known, "POST", EMBEDDED, body).allow is allowed


ENDPOINTS = {
    "invocations": ("serving_endpoints.query", "/serving-endpoints/{}/invocations", {}),
    "chat": ("serving.chat_completions", CHAT, {"model": "{}"}),
    "embeddings": ("serving.embeddings", "/serving-endpoints/embeddings", {"model": "{}", "input": "x"}),
    "messages": ("serving.messages", "/serving-endpoints/anthropic/v1/messages", {"model": "{}"}),
    "generateContent": (
        "serving.generate_content",
        "/serving-endpoints/gemini/v1beta/models/{}:generateContent",
        {},
    ),
    "a served model": ("serving.query_served_model", "/serving-endpoints/{}/served-models/a/invocations", {}),
}


@pytest.mark.parametrize("case", ENDPOINTS)
def test_an_endpoint_is_named_by_one_word(case: str, tmp_path: Path) -> None:
    operation, path, body = ENDPOINTS[case]
    known = policy(tmp_path, {"operation": operation, "where": {"endpoint": "team-a"}})
    for name, reason in (("team-a", YES), ("team-b", NOT_MET)):
        sent = {key: value.format(name) for key, value in body.items()}
        assert judged(known, "POST", path.format(name), sent or None).reason is reason


TESTS: dict[str, tuple[Any, dict[str, Any], Reason]] = {
    "absent, and nothing is given": ({"absent": True}, {}, YES),
    "absent, and the other is given": ({"absent": True}, {"max_completion_tokens": 3}, NOT_MET),
    "optional, and nothing is given": ({"max": 5, "optional": True}, {}, YES),
    "optional, and the other is high": ({"max": 5, "optional": True}, {"max_completion_tokens": 6}, NOT_MET),
    "one of, the other": ([1, 2], {"max_completion_tokens": 2}, YES),
}


@pytest.mark.parametrize("case", TESTS)
def test_every_test_holds_for_all_that_a_word_means(case: str, tmp_path: Path) -> None:
    test, body, reason = TESTS[case]
    known = policy(tmp_path, {"operation": "serving.chat_completions", "where": {"max_tokens": test}})
    assert judged(known, "POST", CHAT, {"model": "m", **body}).reason is reason


DENIES: dict[str, tuple[Any, dict[str, Any], Reason]] = {
    "one high": ({"min": 6}, {"max_tokens": 5, "max_completion_tokens": 6}, DENIED),
    "none high": ({"min": 6}, {"max_tokens": 5, "max_completion_tokens": 5}, YES),
    "absent, and nothing is given": ({"absent": True}, {}, DENIED),
    "absent, and one is given": ({"absent": True}, {"max_completion_tokens": 6}, YES),
    "high or absent, and nothing is given": ({"min": 6, "optional": True}, {}, DENIED),
    "high or absent, and one is low": ({"min": 6, "optional": True}, {"max_completion_tokens": 5}, YES),
}


@pytest.mark.parametrize("case", DENIES)
def test_a_deny_is_met_by_any_that_a_word_means(case: str, tmp_path: Path) -> None:
    test, body, reason = DENIES[case]
    deny = {"operation": "serving.chat_completions", "where": {"max_tokens": test}}
    known = policy(tmp_path, "serving.chat_completions", deny=[deny])
    assert judged(known, "POST", CHAT, {"model": "m", **body}).reason is reason


def test_who_names_both_parameters_means_them(tmp_path: Path) -> None:
    where = {"max_tokens": {"max": 5}, "max_completion_tokens": {"max": 9}}
    known = policy(tmp_path, {"operation": "serving.chat_completions", "where": where})
    both = {"model": "m", "max_tokens": 5, "max_completion_tokens": 9}
    assert judged(known, "POST", CHAT, both).reason is YES
    assert judged(known, "POST", CHAT, {"model": "m", "max_tokens": 5}).reason is NOT_MET


def test_a_fault_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        policy(tmp_path, {"operation": "serving.chat_completions", "where": {"max_tokens": {"prefix": "5"}}})
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("service", ["serving", "gateway"])
def test_every_call_that_asks_a_model_has_the_word_model(service: str) -> None:
    for operation in load_catalog().named(f"{service}.*"):
        if operation.kind == "execute" and operation.name != "gateway.select_route":
            known = {*operation.means, *operation.path, *operation.body}
            assert known & {"model", "model_name"}, operation.name
