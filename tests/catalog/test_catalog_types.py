"""Types of parameters: facts written by hand from the API's reference and the SDK's docstrings, and what holds for all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from brickscope.catalog.catalog import load_catalog
from brickscope.catalog.record import load_records

# operation, the way down to a parameter, its type
TABLE = """
jobs.run_now                    job_id                                              integer
jobs.run_now                    notebook_params                                     {text}
jobs.run_now                    notebook_params.day                                 text
jobs.run_now                    python_params                                       [text]
jobs.run_now                    queue.enabled                                       boolean
jobs.run_now                    performance_target                                  enum
jobs.run_now                    no_such                                             -
jobs.run_now                    job_id.x                                            -
jobs.get                        job_id                                              integer
jobs.list                       name                                                text
jobs.list                       limit                                               integer
jobs.set_permissions            job_id                                              integer
jobs.set_permissions            access_control_list.permission_level                permission_level
jobs.set_permissions            access_control_list.user_name                       user_name
jobs.set_permissions            access_control_list.group_name                      group_name
jobs.set_permissions            access_control_list.service_principal_name          application_id
jobs.create                     tasks                                               [jobs.Task]
jobs.create                     tasks.notebook_task.notebook_path                   code_path
jobs.create                     tasks.notebook_task.source                          enum
jobs.create                     tasks.for_each_task.task.notebook_task.notebook_path code_path
jobs.create                     tasks.sql_task.file.path                            code_path
jobs.create                     tasks.spark_python_task.python_file                 path
jobs.create                     tasks.libraries.jar                                 path
jobs.create                     tasks.new_cluster.num_workers                       integer
jobs.create                     tasks.new_cluster.spark_conf                        {text}
jobs.create                     tasks.new_cluster.data_security_mode                data_security_mode
jobs.create                     tasks.new_cluster.init_scripts.volumes.destination  volume_path
jobs.create                     tasks.new_cluster.init_scripts.dbfs.destination     dbfs_path
jobs.create                     tasks.new_cluster.init_scripts.s3.destination       storage_url
jobs.create                     tasks.new_cluster.init_scripts.workspace.destination workspace_path
jobs.create                     tasks.new_cluster.aws_attributes.spot_bid_price_percent integer
jobs.create                     tasks.dbt_task.commands                             [lines]
jobs.create                     tasks.alert_task.workspace_path                     workspace_path
jobs.create                     environments.spec.dependencies                      [pip_line]
jobs.create                     git_source.git_provider                             git_provider
jobs.create                     git_source.git_url                                  url
jobs.create                     run_as.user_name                                    user_name
jobs.create                     tags                                                {text}
jobs.create                     new_cluster.num_workers                             integer
jobs.create                     notebook_task.notebook_path                         code_path
jobs.create                     parent_path                                         workspace_path
jobs.update                     new_settings.tasks.task_key                         text
jobs.update                     new_settings.existing_cluster_id                    text
jobs.update                     fields_to_remove                                    [text]
jobs.submit                     tasks.run_job_task.job_id                           integer
clusters.create                 autoscale.max_workers                               integer
clusters.create                 enable_elastic_disk                                 boolean
clusters.create                 single_user_name                                    principal
clusters.update                 update_mask                                         field_mask
clusters.update                 cluster.node_type_id                                text
clusters.events                 event_types                                         [enum]
clusters.list                   filter_by.cluster_sources                           [enum]
command_execution.execute       clusterId                                           text
command_execution.execute       language                                            enum_lower
command_execution.execute       command                                             lines
warehouses.create               max_num_clusters                                    integer
warehouses.create               tags.custom_tags.key                                text
statement_execution.execute_statement statement                                     lines
statement_execution.execute_statement warehouse_id                                  text
statement_execution.execute_statement catalog                                       uc_part
statement_execution.execute_statement row_limit                                     integer
statement_execution.execute_statement parameters.name                               text
statement_execution.get_statement statement_id                                      uuid
workspace.export                path                                                workspace_path
workspace.export                format                                              enum
workspace.import_               content                                             bytes
workspace.import_               overwrite                                           boolean
workspace.files_import          path                                                import_path
repos.create                    provider                                            git_provider
repos.update                    repo_id                                             integer
repos.list                      path_prefix                                         workspace_path
dbfs.move                       source_path                                         dbfs_path
dbfs.put                        contents                                            bytes
dbfs.read                       offset                                              integer
files.download                  file_path                                           volume_path
files.list_directory_contents   directory_path                                      volume_path
files.multipart_upload          overwrite                                           boolean
fs.download_url                 path                                                volume_path
secrets.get_secret              scope                                               scope_name
secrets.get_secret              key                                                 text
secrets.put_secret              bytes_value                                         bytes
secrets.put_acl                 principal                                           principal
tables.get                      full_name                                           uc_name
tables.list                     catalog_name                                        uc_part
tables.create                   storage_location                                    storage_url
catalogs.create                 name                                                uc_part
catalogs.delete                 force                                               boolean
schemas.delete                  full_name                                           uc_name
functions.get                   name                                                uc_name
volumes.read                    name                                                uc_name
volumes.create                  name                                                uc_part
grants.update                   securable_type                                      securable_type
grants.update                   full_name                                           uc_name
grants.update                   changes.add                                         [privilege]
grants.update                   changes.principal                                   principal
entity_tag_assignments.get      entity_name                                         uc_entity
model_versions.get              version                                             integer
shares.update                   updates.data_object.name                            uc_name
temporary_table_credentials.generate_temporary_table_credentials table_id           uuid
temporary_path_credentials.generate_temporary_path_credentials url                  storage_url
serving_endpoints.create        config.served_entities.entity_name                  model_name
serving_endpoints.create        config.served_entities.scale_to_zero_enabled        boolean
serving_endpoints.query         temperature                                         number
serving_endpoints.query         input                                               any
serving_endpoints.query         input.whatever.it.is                                any
serving.chat_completions        stream                                              boolean
vector_search_indexes.query_index index_name                                        uc_name
vector_search_indexes.query_index num_results                                       integer
pipelines.create                libraries.notebook.path                             workspace_path
pipelines.create                clusters.autoscale.min_workers                      integer
pipelines.create                configuration                                       {text}
pipelines.get                   pipeline_id                                         uuid
experiments.create_experiment   name                                                workspace_path
experiments.log_metric          value                                               number
experiments.set_permissions     experiment_id                                       integer
permissions.set                 request_object_type                                 object_type
permissions.set                 request_object_id                                   id
permissions.set                 access_control_list                                 [iam.AccessControlRequest]
alerts_v2.create_alert          evaluation.threshold.value.double_value             number
lakeview.create                 serialized_dashboard                                json_text
lakeview.create_schedule        cron_schedule.quartz_cron_expression                text
apps.deploy                     source_code_path                                    workspace_path
groups.patch                    Operations.op                                       enum_lower
groups.list                     startIndex                                          integer
users.create                    userName                                            user_name
users.create                    schemas                                             [enum_mixed]
service_principals.get          id                                                  id
account.budgets.create          budget.filter.tags.value.operator                   enum
postgres.create_branch          spec.expire_time                                    timestamp
postgres.create_branch          spec.ttl                                            duration
ai_gateway.get_mcp_service      name                                                uc_resource
sandbox.download_file           path                                                tree_path
"""
KNOWN = TABLE.strip().splitlines()

WORDS = """
text integer number boolean timestamp duration field_mask bytes any enum enum_lower enum_mixed workspace_path
workspace_glob import_path code_path volume_path dbfs_path tree_path storage_url path pip_line url uc_name
uc_part uc_entity uc_resource model_name securable_type scope_name object_type git_provider user_name
group_name application_id principal privilege permission_level data_security_mode id uuid json_text lines
"""


def members() -> Iterator[tuple[str, str, str]]:
    """Every parameter of every operation and every field of every record: holder, name, type."""
    for operation in load_catalog().operations.values():
        for name in dict.fromkeys((*operation.path, *operation.query, *operation.body)):
            kind = operation.type_of((name,))
            assert kind is not None, (operation.name, name)
            yield operation.name, name, kind
    for record, holder in load_records().items():
        yield from ((record, name, kind) for name, kind in holder.types.items())


@pytest.mark.parametrize("row", KNOWN, ids=[" ".join(row.split()[:2]) for row in KNOWN])
def test_the_type_of_a_parameter(row: str) -> None:
    operation, way, expected = row.split()
    found = load_catalog().operations[operation].type_of(tuple(way.split(".")))
    assert found == (None if expected == "-" else expected)


def test_every_type_is_of_known_words_and_records() -> None:
    records = load_records()
    for holder, name, kind in members():
        word = re.fullmatch(r"[\[{]*([\w.]+)[\]}]*", kind)
        assert word is not None, (holder, name, kind)
        assert kind.count("[") == kind.count("]"), (holder, name, kind)
        assert kind.count("{") == kind.count("}"), (holder, name, kind)
        assert word[1] in (records if "." in word[1] else WORDS.split()), (holder, name, kind)


def test_every_type_that_an_operation_is_given_is_of_one_of_its_parameters() -> None:
    for operation in load_catalog().operations.values():
        assert operation.types.keys() <= {*operation.path, *operation.query, *operation.body}, operation.name
        assert "text" not in operation.types.values(), operation.name


def test_every_record_is_named_by_a_type() -> None:
    named = {word for _, _, kind in members() for word in re.findall(r"[\w.]+", kind)}
    assert load_records().keys() <= named


@pytest.mark.parametrize(
    ("word", "least"),
    {
        "text": 3000,
        "integer": 700,
        "boolean": 450,
        "enum": 500,
        "uc_part": 250,
        "uc_name": 150,
        "workspace_path": 55,
        "volume_path": 18,
        "dbfs_path": 10,
        "code_path": 9,
        "path": 30,
        "scope_name": 12,
        "principal": 55,
        "user_name": 40,
        "field_mask": 100,
    }.items(),
)
def test_types_are_not_lost(word: str, least: int) -> None:
    """A row or annotation that is read no more turns its kind into text, which nothing else would notice."""
    counts = Counter(found for _, _, kind in members() for found in re.findall(r"[\w.]+", kind))
    assert counts[word] >= least


def test_a_record_within_itself_has_types_however_deep() -> None:
    way = ("tasks", *("for_each_task", "task") * 50, "notebook_task", "notebook_path")
    assert load_catalog().operations["jobs.create"].type_of(way) == "code_path"


def test_no_path_variable_is_a_record() -> None:
    for operation in load_catalog().operations.values():
        for name in operation.path:
            assert "." not in (operation.type_of((name,)) or ""), (operation.name, name)
