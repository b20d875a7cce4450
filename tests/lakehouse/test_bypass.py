"""Calls past the proxy, found in a made-up extract of system.access.audit; by both engines alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from audit.example_records import CLIENT_ID, DENIED, HOST, OTHERS, decision, outcome
from brickscope.audit.queries import query
from brickscope.catalog.catalog import load_catalog
from lakehouse.engines import Duck, Engine, Spark, comparable
from lakehouse.made import columns
from lakehouse.system_table import COLUMNS, PROXY, WORKSPACE, Row, event

ANN = "ann@example.com"
OTHER_WORKSPACE = "9999999999999999"
GOVERNED = [("etl", CLIENT_ID), ("nightly", ANN)]
ADDRESSES = [
    (PROXY, "proxy", True),
    ("198.51.100.0/28", "proxies of the other region", True),
    ("2001:db8::10", "proxy, IPv6", True),
    ("10.20.0.0/16", "job clusters", False),
    ("10.20.30.0/24", "clusters of the data team", False),
]


def call(seq: int, time: str, took: str | None = "00:00:01", **fields: Any) -> list[Row]:
    """A call of ``etl`` that was let on at a time of the day, and its outcome at another, if it has one."""
    at = {"seq": seq, "decision_id": f"397d7b97-{seq}", "time": f"2026-11-23T{time}.000000Z"}
    end = [] if took is None else [outcome(**at | {"seq": seq + 1, "time": f"2026-11-23T{took}.000000Z"})]
    return [decision(**at | fields), *end]


LOG = [
    OTHERS["a start"] | {"seq": 1, "time": "2026-11-23T06:00:00.000000Z"},
    *call(10, "10:00:00", "10:00:01"),
    *call(20, "11:00:00", "11:40:00", operation="files.download", method="GET"),
    *call(30, "12:00:00", "12:00:01", operation="jobs.list", method="GET"),
    *call(40, "13:00:00", None, operation="files.upload", method="PUT"),
    *call(50, "14:30:00", None, **DENIED, operation="jobs.run_now"),
    *call(60, "15:00:00", "15:00:01", **DENIED, enforced=False, mode="monitor"),
    *call(70, "16:00:00", "16:00:01", subject="nightly"),
    *call(80, "17:00:00", "17:00:01", server_address="other.cloud.databricks.com"),
    *call(90, "18:00:00", "18:00:01", server_address="acme.databricks.com", workspace=OTHER_WORKSPACE),
    OTHERS["a stop"] | {"seq": 99, "time": "2026-11-23T21:00:00.000000Z"},
]
HOSTS = [(HOST, WORKSPACE), ("other.cloud.databricks.com", OTHER_WORKSPACE)]

# What happened -> the event, and its verdict; None where it is no finding.
CASES: dict[str, tuple[Row, str | None]] = {
    "a proxied call": (event("1", "10:00:01", CLIENT_ID, "jobs.runNow"), None),
    "with clocks that differ by minutes": (event("2", "10:04:50", CLIENT_ID, "jobs.runNow"), None),
    "too late to be that call": (event("3", "10:06:00", CLIENT_ID, "jobs.runNow"), "no_call"),
    "from elsewhere, although a call was under way": (
        event("4", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address="192.0.2.77"),
        "other_address",
    ),
    "from a cluster whose network is known": (
        event("5", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address="10.20.30.40"),
        "other_address",
    ),
    "from a proxy within a network": (
        event("6", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address="198.51.100.15"),
        None,
    ),
    "just outside of that network": (
        event("7", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address="198.51.100.16"),
        "other_address",
    ),
    "from a proxy by IPv6": (
        event("8", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address="2001:DB8::10"),
        None,
    ),
    "from another address by IPv6": (
        event("9", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address="2001:db8::11"),
        "other_address",
    ),
    "without an address, while the call was under way": (
        event("10", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address=None),
        None,
    ),
    "without an address and without a call": (
        event("11", "09:00:00", CLIENT_ID, "jobs.runNow", source_ip_address=""),
        "no_call",
    ),
    "a long download, near its end": (event("12", "11:35:00", CLIENT_ID, "filesystem.filesGet"), None),
    "another operation during that download": (
        event("13", "11:35:00", CLIENT_ID, "jobs.delete"),
        "no_such_call",
    ),
    "an action that nobody has mapped, during it": (
        event("14", "11:35:00", CLIENT_ID, "moonbase.launch"),
        None,
    ),
    "the same with no call at all": (event("15", "09:30:00", CLIENT_ID, "moonbase.launch"), "no_call"),
    "a login with the proxied call": (event("16", "12:00:00", CLIENT_ID, "accounts.tokenLogin"), None),
    "a login with none": (event("17", "12:30:00", CLIENT_ID, "accounts.tokenLogin"), "no_call"),
    "a login from elsewhere": (
        event("18", "12:00:00", CLIENT_ID, "accounts.oidcTokenAuthorization", source_ip_address="192.0.2.77"),
        "other_address",
    ),
    "a call that never got its outcome": (event("19", "13:50:00", CLIENT_ID, "filesystem.filesPut"), None),
    "what the proxy had just denied": (event("20", "14:32:00", CLIENT_ID, "jobs.runNow"), "no_call"),
    "what monitor mode let on": (event("21", "15:00:01", CLIENT_ID, "jobs.runNow"), None),
    "a run that starts later by itself": (event("22", "09:45:00", CLIENT_ID, "jobs.runStart"), None),
    "somebody else's call": (event("23", "16:00:01", CLIENT_ID, "jobs.runNow"), "no_call"),
    "the user's own, in other letters": (event("24", "16:00:01", "Ann@Example.COM", "jobs.runNow"), None),
    "known by the subject's name only": (
        event("25", "09:50:00", "", "jobs.runNow", user_identity={"email": None, "subject_name": CLIENT_ID}),
        "no_call",
    ),
    "nobody who is governed": (event("26", "09:00:00", "bob@example.com", "jobs.runNow"), None),
    "in another workspace than the call": (event("27", "17:00:01", CLIENT_ID, "jobs.runNow"), "no_call"),
    "in the workspace of the call": (
        event("28", "17:00:01", CLIENT_ID, "jobs.runNow", workspace_id=OTHER_WORKSPACE),
        None,
    ),
    "in the workspace that a header chose": (
        event("29", "18:00:01", CLIENT_ID, "jobs.runNow", workspace_id=OTHER_WORKSPACE),
        None,
    ),
    "of the account, which names the workspace elsewhere": (
        event(
            "30",
            "17:00:01",
            CLIENT_ID,
            "unityCatalog.getTable",
            workspace_id="0",
            request_params={"workspace_id": OTHER_WORKSPACE},
        ),
        "no_such_call",
    ),
    "before the log begins": (event("31", "05:00:00", CLIENT_ID, "jobs.runNow"), None),
    "newer than what is loaded": (event("32", "20:30:00", CLIENT_ID, "jobs.runNow"), None),
    "an address that is none": (
        event("33", "10:00:01", CLIENT_ID, "jobs.runNow", source_ip_address="a'; DROP TABLE x; --"),
        "other_address",
    ),
}


def fill(engine: Engine, log: list[Row], events: list[Row], *, hosts: list[Any] = HOSTS) -> None:
    engine.make("audit_records", {column.name: column.type for column in columns()}, log)
    engine.make("system_access_audit", COLUMNS, events)
    tables: dict[str, tuple[dict[str, str], list[Any]]] = {
        "governed_identities": ({"subject": "STRING", "identity": "STRING"}, GOVERNED),
        "known_addresses": ({"address": "STRING", "name": "STRING", "is_proxy": "BOOLEAN"}, ADDRESSES),
        "workspaces": ({"host": "STRING", "workspace_id": "STRING"}, hosts),
    }
    for name, (kinds, rows) in tables.items():
        engine.make(name, kinds, [dict(zip(kinds, row, strict=True)) for row in rows])
    engine.ask(f"CREATE OR REPLACE TEMP VIEW operation_actions AS {query('lakehouse/operation_actions')}")


EVENTS = [row for row, _ in CASES.values()]


@pytest.fixture
def duck(tmp_path: Path) -> Duck:
    engine = Duck(tmp_path)
    fill(engine, LOG, EVENTS)
    return engine


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    engine = Duck(tmp_path_factory.mktemp("duck"))
    fill(engine, LOG, EVENTS)
    return {row["event_id"]: row for row in engine.ask(query("lakehouse/bypass"))}


@pytest.mark.parametrize("case", CASES)
def test_an_event_is_judged_by_who_whence_when_and_what(case: str, found: dict[str, Row]) -> None:
    row, verdict = CASES[case]
    finding = found.get(row["event_id"])
    assert (finding and finding["verdict"]) == verdict


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["bypass", "bypass_surplus", "bypass_coverage"])
def test_both_engines_find_the_same(name: str, duck: Duck, spark: SparkSession, tmp_path: Path) -> None:
    lake = Spark(spark, tmp_path)
    fill(lake, LOG, EVENTS)
    ours = duck.ask(query(f"lakehouse/{name}"))
    assert ours
    assert comparable(lake.ask(query(f"lakehouse/{name}"))) == comparable(ours)


def test_a_finding_says_what_the_proxy_had_denied_before(found: dict[str, Row]) -> None:
    assert {number for number, row in found.items() if row["refused_before"]} == {"20"}


def test_an_address_is_named_by_the_smallest_network_that_is_known(found: dict[str, Row]) -> None:
    assert found["5"]["address_name"] == "clusters of the data team"
    assert found["7"]["address_name"] is None


def test_without_workspaces_any_goes_with_any_host(tmp_path: Path) -> None:
    engine = Duck(tmp_path)
    fill(engine, LOG, EVENTS, hosts=[])
    still = {row["event_id"] for row in engine.ask(query("lakehouse/bypass"))}
    assert "27" not in still
    assert "28" not in still


def test_without_a_log_nothing_is_judged(tmp_path: Path) -> None:
    engine = Duck(tmp_path)
    fill(engine, [OTHERS["a stop"]], EVENTS)
    assert engine.ask(query("lakehouse/bypass")) == []


def test_more_events_than_calls_are_a_surplus(tmp_path: Path) -> None:
    """Whoever calls from the proxy's own address while a proxied call is under way is hidden to bypass.sql."""
    hidden = [event(f"h{n}", "10:00:02", CLIENT_ID, "jobs.runNow") for n in range(3)]
    engine = Duck(tmp_path)
    fill(engine, LOG, hidden)
    assert engine.ask(query("lakehouse/bypass")) == []
    (row,) = engine.ask(query("lakehouse/bypass_surplus"))
    assert (row["events"], row["calls"], row["surplus"]) == (3, 1, 2)


def test_coverage_counts_every_event_of_a_governed_identity_once(duck: Duck) -> None:
    rows = duck.ask(query("lakehouse/bypass_coverage"))
    governed = [row for row in EVENTS if row["event_id"] != "26"]
    assert sum(row["events"] for row in rows) == len(governed)
    assert all(row["judged"] + row["too_old"] + row["too_new"] == row["events"] for row in rows)
    assert {(row["action_name"], row["kind"]) for row in rows} >= {
        ("runNow", "call"),
        ("tokenLogin", "login"),
        ("runStart", "consequence"),
        ("launch", None),
    }


def test_many_calls_are_found_as_fast_as_few(tmp_path: Path) -> None:
    """A busy identity: a call every ten seconds of a day, and an event each. One of them went past the proxy."""
    log, events = [LOG[0], LOG[-1]], []
    for number in range(4000):
        time = f"{8 + number // 400:02}:{number % 400 * 9 // 60:02}:{number % 400 * 9 % 60:02}"
        log += call(1000 + 2 * number, time, time, operation="tables.get")
        events.append(event(str(number), time, CLIENT_ID, "unityCatalog.getTable"))
    events.append(
        event("past", "10:30:00", CLIENT_ID, "unityCatalog.getTable", source_ip_address="192.0.2.1")
    )
    engine = Duck(tmp_path)
    fill(engine, log, events)
    assert [row["event_id"] for row in engine.ask(query("lakehouse/bypass"))] == ["past"]


def test_every_operation_that_is_mapped_is_one_of_the_catalogue(duck: Duck) -> None:
    rows = duck.ask(query("lakehouse/operation_actions"))
    operations = load_catalog().operations
    assert [row for row in rows if row["kind"] == "call" and row["operation"] not in operations] == []
    assert {row["kind"] for row in rows if row["operation"] is None} == {"login", "consequence"}
    pairs = [(row["operation"], row["service_name"], row["action_name"]) for row in rows]
    assert len(set(pairs)) == len(pairs)
    known = {"overwatch", "panther", "andyweaves", "queries", "reference"}
    assert all(set(row["source"].split(", ")) <= known for row in rows)


def test_an_action_has_one_kind(duck: Duck) -> None:
    kinds = duck.ask(
        "SELECT service_name, action_name, count(DISTINCT kind) AS kinds FROM operation_actions GROUP BY ALL"
    )
    assert {row["kinds"] for row in kinds} == {1}
