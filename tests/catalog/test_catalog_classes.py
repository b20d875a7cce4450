"""What hands out credentials or signed links is of class secret, whatever the service; what nobody saw is a problem."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from brickscope.analysis.call import read_call
from brickscope.analysis.judge import find, judge
from brickscope.catalog.catalog import load_catalog, operation_table, telling
from brickscope.core.decision import Reason
from brickscope.core.rule import RuleTable
from brickscope.policy.load import load_policy
from catalogue import update
from catalogue.build import FOLDER, build
from catalogue.sdk import Source

NOW = 1_793_491_200.0  # 2026-11-01T00:00:00Z
HOST = "https://example.cloud.databricks.com"
WIDE = ["GET /api/{p...}", "POST /api/{p...}", "HEAD /api/{p...}", "PUT /api/{p...}"]

HANDED_OUT = [
    "GET /api/2.0/mlflow/artifacts/credentials-for-read?run_id=r",
    'POST /api/2.0/mlflow/logged-models/m-1/artifacts/credentials-for-download {"paths": ["a"]}',
    'POST /api/2.0/mlflow/logged-models/m-1/artifacts/credentials-for-upload {"paths": ["a"]}',
    'POST /api/2.0/mlflow/artifacts/create-multipart-upload {"run_id": "r", "path": "m.bin", "num_parts": 2}',
    "GET /api/2.0/mlflow/artifacts/get-presigned-upload-part-url?run_id=r&path=m.bin&upload_id=u&part_number=1",
    "GET /api/2.0/mlflow/traces/tr-1/credentials-for-data-download",
    'POST /api/2.1/unity-catalog/temporary-table-credentials {"table_id": "t", "operation": "READ"}',
    "POST /api/2.1/unity-catalog/temporary-model-version-credentials {}",
    "GET /api/2.1/unity-catalog/delta/v1/catalogs/main/schemas/a/tables/t/credentials?operation=READ",
    "GET /api/2.1/unity-catalog/iceberg-rest/v1/catalogs/main/namespaces/a/tables/t",
    "GET /api/2.1/unity-catalog/iceberg/v1/namespaces/a/tables/t",
    "GET /api/2.1/unity-catalog/iceberg-rest/v1/catalogs/main/namespaces/a/tables/t/credentials",
    'POST /api/2.0/fs/create-delete-url {"path": "/Volumes/main/a/v/x"}',
    'POST /api/2.0/fs/create-download-url {"path": "/Volumes/main/a/v/x"}',
    "GET /api/2.0/sql/statements/01",
    "GET /api/2.0/sql/statements/01/result/chunks/0",
    "GET /api/2.0/genie/spaces/s/conversations/c/messages/m/query-result",
    "GET /api/2.1/jobs/runs/get-output?run_id=7",
    "GET /api/2.1/unity-catalog/recipients/r",
    "GET /api/2.1/unity-catalog/providers/p",
    "GET /api/2.0/secrets/get?scope=s&key=k",
    "HEAD /api/2.0/secrets/get?scope=s&key=k",
    "HEAD /api/2.1/unity-catalog/iceberg/v1/namespaces/a/tables/t/credentials",
]
NOT_HANDED_OUT = [
    "POST /api/2.0/mlflow/artifacts/complete-multipart-upload {}",
    "POST /api/2.0/mlflow/artifacts/abort-multipart-upload {}",
    'POST /api/2.0/sql/statements {"statement": "SELECT 1", "warehouse_id": "w"}',
    "GET /api/2.1/unity-catalog/storage-credentials",
    "GET /api/2.0/secrets/list?scope=s",
    "GET /api/2.0/token/list",
    "GET /api/2.1/unity-catalog/iceberg/v1/namespaces/a",
    "HEAD /api/2.1/unity-catalog/iceberg/v1/namespaces/a",
    "HEAD /api/2.1/unity-catalog/catalogs/main",
]


def decided(folder: Path, written: str) -> Reason:
    """What a call is decided as where nearly all is allowed, and the class secret denied."""
    file = folder / "policy.yaml"
    rule_set = {"allow": WIDE, "deny": [{"class": "secret"}]}
    tokens = {"t": {"fingerprint": "sha256:" + "a" * 64, "rule_set": "ci"}}
    file.write_text(json.dumps({"version": 1, "tokens": tokens, "rule_sets": {"ci": rule_set}}))
    policy = load_policy(file, NOW).policy
    method, target, *body = written.split(" ", 2)
    return judge(policy, find(policy, "t"), read_call(" ".join((method, HOST + target, *body))), NOW).reason


@pytest.mark.parametrize("call", HANDED_OUT)
def test_a_deny_of_the_class_holds_for(call: str, tmp_path: Path) -> None:
    assert decided(tmp_path, call) is Reason.DENIED_BY_RULE


@pytest.mark.parametrize("call", NOT_HANDED_OUT)
def test_a_deny_of_the_class_lets_pass(call: str, tmp_path: Path) -> None:
    assert decided(tmp_path, call) is Reason.ALLOWED_BY_RULE


# -- HEAD --------------------------------------------------------------------------------------------------------------

HEADS = {
    "the read that it checks": ("/api/2.1/unity-catalog/catalogs/main", "catalogs.get"),
    "a list": ("/api/2.1/unity-catalog/catalogs", "catalogs.list"),
    "a secret": ("/api/2.0/secrets/get", "secrets.get_secret"),
    "Iceberg's check of a namespace": (
        "/api/2.1/unity-catalog/iceberg/v1/namespaces/a",
        "iceberg.get_namespace_unprefixed",
    ),
    "a HEAD of its own": ("/api/2.0/fs/files/Volumes/main/a/v/x", "files.get_metadata"),
    "what is only a POST": ("/api/2.2/jobs/run-now", None),
    "what nobody listed": ("/api/2.2/jobs/nothing", None),
}


@pytest.mark.parametrize(("path", "expected"), HEADS.values(), ids=HEADS)
def test_a_head_is_of(path: str, expected: str | None) -> None:
    found = operation_table().match("HEAD", path[1:].split("/"))
    assert (found and found.text) == expected


def test_no_head_is_of_a_lesser_class_than_a_get_of_the_same_path() -> None:
    rules = operation_table().rules
    reads = RuleTable([rule for rule in rules if rule.method == "GET"])
    operations = load_catalog().operations
    heads = [rule for rule in rules if rule.method == "HEAD"]
    assert heads
    for head in heads:
        for read in reads.meeting(head._replace(method="GET")):
            assert operations[read.text].kind in ("read", operations[head.text].kind), (
                f"{head.text} {read.text}"
            )


# -- the review --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("temporary-table-credentials", True),
        ("get-presigned-upload-part-url", True),
        ("create_obo_token", True),
        ("signed_download_uri", True),
        ("sas_uri", True),
        ("external_link", True),
        ("curl", False),
        ("tokenizer", False),
        ("linkage", False),
        ("namespaces", False),
        ("jobs.list", False),
    ],
)
def test_a_word_that_tells_of_a_credential_or_link(word: str, expected: bool) -> None:
    assert bool(telling(word)) is expected


def groups(key: str) -> list[dict[str, list[str]]]:
    """The groups of a class as they are."""
    found: list[dict[str, list[str]]] = yaml.safe_load((FOLDER / "classes.yaml").read_text())[key]
    return found


def without(key: str, pattern: str) -> list[dict[str, list[str]]]:
    """The groups of a class without one pattern."""
    found = groups(key)
    hits = [
        (group, part)
        for group in found
        for part in ("fields", "operations")
        if pattern in group.get(part, ())
    ]
    for group, part in hits:
        group[part].remove(pattern)
    assert len(hits) == 1
    return found


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is unsettled where the reviewed files lack two patterns, have three that fit nothing, and an operation is new.
    One build, which takes seconds."""
    folder = tmp_path_factory.mktemp("spoilt") / "catalogue"
    shutil.copytree(FOLDER, folder)
    file = folder / "classes.yaml"
    spoilt = {
        "secret": [*without("secret", "jobs.get_run_output"), {"operations": ["secrets.gone"]}],
        "harmless": [
            *without("harmless", "mlflow.secrets.*"),
            {"fields": ["jobs.Gone.token"], "operations": ["tokens.gone"]},
        ],
    }
    file.write_text(json.dumps(yaml.safe_load(file.read_text()) | spoilt))
    (folder / "operations" / "x.yaml").write_text(
        '- {service: x, source: test, operations: {y: {calls: ["GET /x/sas-urls"], class: read}}}\n'
    )
    return build(Source(update.sdk_folder()), folder).problems


def test_an_operation_whose_name_tells_of_credentials_and_that_nobody_looked_at_is_a_problem(
    problems: list[str],
) -> None:
    assert [each for each in problems if each.startswith("mlflow.")] == [
        f"mlflow.secrets.{name}: nobody has looked whether it hands out a credential or link (mlflow.secrets.{name})"
        for name in sorted(
            name.rpartition(".")[2]
            for name in load_catalog().operations
            if name.startswith("mlflow.secrets.")
        )
    ]


def test_an_operation_whose_path_tells_of_credentials_and_that_nobody_looked_at_is_a_problem(
    problems: list[str],
) -> None:
    assert [each for each in problems if each.startswith("x.")] == [
        "x.y: nobody has looked whether it hands out a credential or link (sas-urls)"
    ]


def test_an_operation_whose_answer_tells_of_a_link_and_that_nobody_looked_at_is_a_problem(
    problems: list[str],
) -> None:
    assert [each for each in problems if each.startswith("jobs.")] == [
        "jobs.get_run_output: nobody has looked at what it answers with (jobs.DbtOutput.artifacts_link)"
    ]


def test_what_was_looked_at_and_is_no_longer_there_is_a_problem(problems: list[str]) -> None:
    assert sorted(each for each in problems if each.startswith("classes.yaml")) == [
        "classes.yaml: jobs.Gone.token fits nothing",
        "classes.yaml: secrets.gone fits nothing",
        "classes.yaml: tokens.gone fits nothing",
    ]


def test_nothing_else_is_a_problem(problems: list[str]) -> None:
    assert [
        each for each in problems if not each.startswith(("mlflow.", "x.", "jobs.", "classes.yaml"))
    ] == []


def test_every_group_says_why() -> None:
    written = yaml.safe_load((FOLDER / "classes.yaml").read_text())
    assert set(written) == {"secret", "grant", "execute", "read", "harmless"}
    for key, found in written.items():
        for group in found:
            assert group["reason"], group
            assert key == "harmless" or group["source"], group
