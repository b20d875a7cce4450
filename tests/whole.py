"""What only ``scripts/test --all`` runs."""

from __future__ import annotations

from pathlib import Path

WHOLE = (
    # other programs: balancers, systemd, packet filters, Spark, browsers, the real clients
    "clients",
    "deploy",
    "lakehouse",
    "report/test_report_browser.py",
    "report/test_report_chromium.py",
    # load, races of peers, installations
    "soak/test_soak.py",
    "bench/test_capacity.py",
    "log/test_bombs.py",
    "bench/test_endtoend.py",
    "bench/test_fleet_bench.py",
    "bench/test_hooks.py",
    "bench/test_identity_bench.py",
    "bench/test_load.py",
    "bench/test_operations_bench.py",
    "e2e/test_log.py",
    "bench/test_peers.py",
    "bench/test_rounds.py",
    "catalog/test_catalog_build.py",
    "test_requirements.py",
    "test_upkeep_document.py",
    "service/authority/test_creation.py",
    "core/test_parsers.py",
    "e2e/test_first_host.py",
    "e2e/test_wheel.py",
    # long properties of what answers questions about a policy or a log, and makers of data
    "analysis/diff/test_comparison.py",
    "analysis/learn/test_properties.py",
    "analysis/policytest/test_plugin.py",
    "analysis/replay/test_again.py",
    "analysis/test_algebra.py",
    "audit/test_reader.py",
    "catalog/test_catalog_classes.py",
    "cli/test_audit_report_command.py",
    "report/test_report_page.py",
    "proxy/test_placeholder_grammar.py",
    # many starts of the proxy, long waits
    "e2e/test_azure_clients.py",
    "e2e/test_azure_guide.py",
    "e2e/test_ca_rotation.py",
    "e2e/test_clients.py",
    "e2e/test_clients_guide.py",
    "e2e/test_clock.py",
    "e2e/test_descriptors.py",
    "e2e/test_doctor.py",
    "e2e/test_doctor_authority.py",
    "e2e/test_doctor_settings.py",
    "e2e/test_doctor_ways.py",
    "e2e/test_drain.py",
    "e2e/test_faces.py",
    "e2e/test_first_day.py",
    "e2e/test_fleet.py",
    "e2e/test_fleet_monitoring.py",
    "e2e/test_monitoring.py",
    "e2e/test_oauth_clients.py",
    "e2e/test_placeholder_fleet.py",
    "e2e/test_placeholder_rotation.py",
    "e2e/test_placeholder_secrets.py",
    "e2e/test_restore.py",
    "e2e/test_sdk_operations.py",
    "e2e/test_slow.py",
)
"""Folders and files that run only with --all, or by name."""
LONGEST = (
    "soak/test_soak.py",
    "e2e/test_first_host.py",
    "e2e/test_wheel.py",
    "e2e/test_placeholder_secrets.py",
)
"""Of these the files that begin first: at the end a process would be waited for alone for minutes."""
MEASURED = (
    "core",
    "identity",
    "log",
    "policy",
    "proxy",
    "e2e/test_placeholders.py",
    "e2e/test_readiness.py",
)
"""Folders and files whose tests count where the branches of core, policy, log and proxy are measured (pyproject.toml)."""
TESTS = Path(__file__).parent
