"""How parameters name objects: stand-ins, alternatives, ancestors, encoded variables; aliases and siblings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from brickscope.catalog.catalog import load_catalog
from brickscope.catalog.record import NONE, Holder, load_records
from brickscope.catalog.siblings import USES, WAYS, beside, load_siblings, siblings_of, titles
from catalogue import update


def ways(*texts: str) -> set[tuple[str, ...]]:
    return {tuple(text.split(".")) for text in texts}


# operation, limited parameter, some of those that can say the same
STAND_INS = [
    ("clusters.create", "num_workers", ["autoscale", "is_single_node"]),
    ("clusters.create", "autoscale.max_workers", ["num_workers"]),
    ("clusters.resize", "num_workers", ["autoscale"]),
    ("clusters.create", "node_type_id", ["instance_pool_id"]),
    ("jobs.create", "tasks", ["notebook_task", "existing_cluster_id", "new_cluster", "sql_task"]),
    ("jobs.create", "notebook_task.notebook_path", ["tasks"]),
    (
        "jobs.create",
        "tasks.new_cluster.num_workers",
        ["tasks.new_cluster.autoscale", "job_clusters.new_cluster", "tasks.for_each_task", "new_cluster"],
    ),
    ("jobs.reset", "new_settings.tasks.notebook_task", ["new_settings.notebook_task"]),
    ("jobs.update", "new_settings.name", ["fields_to_remove"]),
    ("jobs.run_now", "notebook_params", ["job_parameters"]),
    ("secrets.put_secret", "string_value", ["bytes_value"]),
    ("experiments.get_run", "run_id", ["run_uuid"]),
    ("registered_models.create", "catalog_name", ["full_name"]),
    ("serving_endpoints.create", "config.served_models.model_name", ["config.served_entities"]),
    ("grants.update", "changes.principal", ["changes.principal_id"]),
    (
        "serving_endpoints.create",
        "config.served_entities.external_model.openai_config.openai_api_key",
        ["config.served_entities.external_model.openai_config.openai_api_key_plaintext"],
    ),
    ("pipelines.create", "libraries.notebook.path", ["libraries.glob", "libraries.file"]),
    ("repos.update", "branch", ["tag"]),
]


@pytest.mark.parametrize(
    ("operation", "way", "expected"), STAND_INS, ids=[f"{r[0]} {r[1]}" for r in STAND_INS]
)
def test_what_can_say_the_same(operation: str, way: str, expected: list[str]) -> None:
    found = load_catalog().operations[operation].holder.others_of("stand_ins", tuple(way.split(".")))
    assert set(found) >= ways(*expected)


def test_what_can_not_say_the_same_is_no_stand_in() -> None:
    create = load_catalog().operations["jobs.create"]
    # A deny on one cluster would refuse every job that makes its own.
    assert not ways("tasks.new_cluster") & set(
        create.holder.others_of("stand_ins", ("tasks", "existing_cluster_id"))
    )
    assert ways("tasks.new_cluster", "tasks.job_cluster_key") <= set(
        create.holder.others_of("alternatives", ("tasks", "existing_cluster_id"))
    )
    assert (
        create.holder.others_of("stand_ins", ("name",))
        == create.holder.others_of("alternatives", ("name",))
        == []
    )
    assert create.holder.others_of("stand_ins", ("no_such", "x")) == []


@pytest.mark.parametrize(
    ("operation", "way", "expected"),
    [
        ("workspace.export", "path", []),
        ("workspace.delete", "path", ["recursive"]),
        ("workspace.list", "path", None),
        ("workspace.get_status", "path", None),
        ("dbfs.delete", "path", ["recursive"]),
        ("dbfs.move", "source_path", []),
        ("dbfs.move", "destination_path", []),
        ("dbfs.read", "path", None),
        ("schemas.delete", "full_name", ["force"]),
        ("catalogs.delete", "name", ["force"]),
        ("catalogs.update", "name", ["owner", "new_name"]),
        ("grants.update", "full_name", []),
        ("grants.get", "full_name", None),
        ("repos.list", "path_prefix", []),
        ("apps.deploy", "source_code_path", []),
        ("temporary_path_credentials.generate_temporary_path_credentials", "url", []),
        ("shares.update", "updates.data_object.name", []),
        ("pipelines.create", "libraries.glob.include", []),
        ("pipelines.create", "libraries.notebook.path", None),
    ],
)
def test_what_acts_on_all_below_its_object(operation: str, way: str, expected: list[str] | None) -> None:
    found = load_catalog().operations[operation].holder.below_of(tuple(way.split(".")))
    assert found == (None if expected is None else [(name,) for name in expected])


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("workspace.files_import", ("path",)),
        ("files.download", ("file_path",)),
        ("files.create_directory", ("directory_path",)),
        ("tables.get", ("full_name",)),
        ("functions.get", ("name",)),
        ("entity_tag_assignments.get", ("tag_key", "entity_name")),
        ("grants.update", ("full_name",)),
        ("volumes.create", ()),
        ("jobs.set_permissions", ()),
        ("iceberg.load_table", ()),
        ("serving_endpoints.query", ()),
    ],
)
def test_variables_that_may_hold_encoded_separators(operation: str, expected: tuple[str, ...]) -> None:
    assert load_catalog().operations[operation].encoded == expected


def test_bodies_that_are_the_content_of_a_file() -> None:
    whole = {name for name, each in load_catalog().operations.items() if each.content}
    assert whole >= {"files.upload", "workspace.files_import", "mlflow.artifacts.upload_small"}
    assert not any(load_catalog().operations[name].body for name in whole)


def test_values_that_stand_for_every_object() -> None:
    operations = load_catalog().operations
    assert operations["model_registry.set_permissions"].holder.every_of(("registered_model_id",)) == ("root",)
    assert operations["jobs.set_permissions"].holder.every_of(("job_id",)) == ()


def test_facts_name_members_that_there_are() -> None:
    holders = dict(load_records())
    for operation in load_catalog().operations.values():
        names = (*operation.path, *operation.query, *operation.body)
        holders[operation.name] = Holder(
            {name: operation.types.get(name, "text") for name in names}, operation.facts
        )
        assert set(operation.encoded) <= set(operation.path), operation.name
    for name, holder in holders.items():
        if holder.facts is NONE:
            continue
        named = [*holder.facts.stand_ins, *holder.facts.below, *holder.facts.every, *holder.facts.depends]
        named += [other for others in holder.facts.stand_ins.values() for other in others]
        named += [member for group in holder.facts.alternatives for member in group]
        named += [member for when in holder.facts.below.values() for member in when]
        for member in named:
            assert holder.type_of(tuple(member.split("."))) is not None, (name, member)


@pytest.mark.parametrize("file", ["kinds.yaml", "objects.yaml", "aliases.yaml", "siblings.yaml"])
def test_no_key_stands_twice(file: str) -> None:
    """The last of two would count, and the first be lost without a word."""
    folder = update.FILE.parent if file == "siblings.yaml" else Path(update.__file__).parent
    text = (folder / file).read_text()

    def walk(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), (file, node.start_mark.line + 1)
            for _, value in node.value:
                walk(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                walk(value)

    walk(yaml.compose(text))


ALIASES: list[dict[str, Any]] = yaml.safe_load((Path(update.__file__).parent / "aliases.yaml").read_text())


@pytest.mark.parametrize("entry", ALIASES, ids=[entry["kind"] for entry in ALIASES])
def test_aliases_are_of_known_kinds_and_parameters(entry: dict[str, Any]) -> None:
    words = {word for kinds in _types() for word in re.findall(r"[\w.]+", kinds)}
    assert entry["kind"] in words
    for row in entry["rows"]:
        assert row.keys() <= {"effect", "what", "pairs", "of", "conf", "source"}
        assert row["effect"] in ("same", "reading", "distinct", "refused", "ancestor")
        assert row["conf"] in ("C", "L", "P")
        assert row["what"]
        assert row["source"]
        for pair in row["pairs"]:
            assert len(pair) == (1 if row["effect"] == "refused" else 2), row
            assert all(isinstance(text, str) for text in pair), row
            assert len(set(pair)) == len(pair), row
        for parameter in row.get("of", ()):
            holder, _, name = parameter.rpartition(".")
            operation = load_catalog().operations.get(holder)
            found = operation.type_of((name,)) if operation else load_records()[holder].types.get(name)
            assert found == entry["kind"], parameter


def _types() -> list[str]:
    kinds = [kind for operation in load_catalog().operations.values() for kind in operation.types.values()]
    return kinds + [kind for record in load_records().values() for kind in record.types.values()]


def test_every_sibling_is_an_operation_with_that_parameter() -> None:
    operations = load_catalog().operations
    assert len(titles()) >= 20
    for each in load_siblings():
        assert each.operation in operations, each
        assert each.use in USES, each
        assert each.way in WAYS, each
        assert each.level is None or 1 <= each.level <= 3, each
        if each.parameter:
            assert operations[each.operation].type_of(tuple(each.parameter.split("."))) is not None, each
        else:
            assert each.way == "inside", each


def test_what_reads_the_same_notebook() -> None:
    found = {
        (each.operation, each.way)
        for each in siblings_of("workspace.export", "path")
        if each.kind == "notebook"
    }
    assert ("workspace.files_read", "name") in found
    assert ("repos.get", "id") in found
    assert ("jobs.export_run", "through") in found
    assert ("command_execution.execute", "inside") in found
    assert not any(operation in ("workspace.export", "workspace.delete") for operation, _ in found)


def test_what_gives_a_table_away_beside_grants() -> None:
    found = {each.operation for each in siblings_of("grants.update", "full_name") if each.kind == "table"}
    assert found >= {
        "tables.update",
        "schemas.update",
        "catalogs.update",
        "shares.update",
        "policies.create_policy",
    }


def test_what_acts_on_a_table_is_not_passed_by_a_deny_on_its_catalog() -> None:
    found = {
        each.operation: each.level
        for each in siblings_of("schemas.delete", "full_name")
        if each.way == "name"
    }
    assert found["catalogs.delete"] == 1
    assert "tables.delete" not in found


def test_the_id_of_what_runs_an_object_does_not_name_it() -> None:
    assert {each.kind for each in siblings_of("jobs.run_now", "job_id")} == {"job"}
    assert "jobs.run_now" in {
        each.operation for each in siblings_of("jobs.create", "tasks.notebook_task.notebook_path")
    }


def test_what_is_said_beside_an_object_are_parameters_of_its_operations() -> None:
    operations = load_catalog().operations
    for kind in titles():
        for name, said in beside(kind).items():
            assert any(
                operations[each.operation].place(name) for each in load_siblings() if each.kind == kind
            ), name
            assert said


def test_a_parameter_that_names_no_known_object_has_no_siblings() -> None:
    assert siblings_of("jobs.list", "limit") == ()
