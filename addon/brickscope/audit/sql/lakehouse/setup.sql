-- What unused.sql and the bypass queries read beside the log. Run it once, then fill the tables:
-- `brickscope audit lakehouse policy --rules RULES` prints the statements for the first two.
--
-- Made by tests/lakehouse/made.py.

-- What the policy holds.
CREATE TABLE IF NOT EXISTS audit_policy (
  kind STRING,
  subject STRING,
  rule_set STRING,
  list STRING,
  rule STRING
);

-- Whom Databricks knows a subject of the policy as: an e-mail address, or the application id of a service principal.
CREATE TABLE IF NOT EXISTS governed_identities (
  subject STRING,
  identity STRING
);

-- Addresses as Databricks sees them: those of the proxies, and others that you can name. A single address, or an IPv4
-- network such as 10.20.0.0/16.
CREATE TABLE IF NOT EXISTS known_addresses (
  address STRING,
  name STRING,
  is_proxy BOOLEAN
);

-- Which workspace a host is. May be empty: then any workspace goes with any host.
CREATE TABLE IF NOT EXISTS workspaces (
  host STRING,
  workspace_id STRING
);

-- The events of Databricks itself. The window is what the bypass queries look at; event_date lets Databricks skip the rest.
CREATE OR REPLACE VIEW system_access_audit AS
SELECT * FROM system.access.audit
WHERE event_date >= current_date() - INTERVAL '30' DAY;

-- The text is that of operation_actions.sql.
CREATE OR REPLACE VIEW operation_actions AS
SELECT kind, operation, service_name, action_name, source
FROM (
    VALUES
        ('call', 'jobs.create', 'jobs', 'create', 'overwatch, queries'),
        ('call', 'jobs.update', 'jobs', 'update', 'overwatch, queries'),
        ('call', 'jobs.reset', 'jobs', 'reset', 'overwatch'),
        ('call', 'jobs.delete', 'jobs', 'delete', 'overwatch, queries'),
        ('call', 'jobs.run_now', 'jobs', 'runNow', 'overwatch'),
        ('call', 'jobs.submit', 'jobs', 'submitRun', 'overwatch, queries'),
        ('call', 'jobs.repair_run', 'jobs', 'repairRun', 'overwatch'),
        ('call', 'jobs.cancel_run', 'jobs', 'cancel', 'overwatch'),
        ('call', 'jobs.delete_run', 'jobs', 'deleteRun', 'queries'),
        ('call', 'jobs.get_run_output', 'jobs', 'getRunOutput', 'queries'),
        ('call', 'jobs.set_permissions', 'jobs', 'changeJobAcl', 'overwatch, queries'),
        ('call', 'jobs.update_permissions', 'jobs', 'changeJobAcl', 'overwatch, queries'),
        ('call', 'permissions.set', 'jobs', 'changeJobAcl', 'overwatch, queries'),
        ('call', 'permissions.update', 'jobs', 'changeJobAcl', 'overwatch, queries'),
        ('consequence', NULL, 'jobs', 'runTriggered', 'overwatch'),
        ('consequence', NULL, 'jobs', 'runStart', 'overwatch, queries'),
        ('consequence', NULL, 'jobs', 'runSucceeded', 'overwatch, queries'),
        ('consequence', NULL, 'jobs', 'runFailed', 'overwatch, queries'),
        ('call', 'clusters.create', 'clusters', 'create', 'overwatch, queries'),
        ('call', 'clusters.edit', 'clusters', 'edit', 'queries'),
        ('call', 'clusters.start', 'clusters', 'start', 'overwatch, queries'),
        ('call', 'clusters.restart', 'clusters', 'restart', 'queries'),
        ('call', 'clusters.resize', 'clusters', 'resize', 'overwatch, queries'),
        ('call', 'clusters.delete', 'clusters', 'delete', 'overwatch, queries'),
        ('call', 'clusters.permanent_delete', 'clusters', 'permanentDelete', 'overwatch, queries'),
        ('call', 'clusters.set_permissions', 'clusters', 'changeClusterAcl', 'overwatch'),
        ('call', 'clusters.update_permissions', 'clusters', 'changeClusterAcl', 'overwatch'),
        ('call', 'permissions.set', 'clusters', 'changeClusterAcl', 'overwatch'),
        ('call', 'permissions.update', 'clusters', 'changeClusterAcl', 'overwatch'),
        ('consequence', NULL, 'clusters', 'createResult', 'queries'),
        ('consequence', NULL, 'clusters', 'startResult', 'queries'),
        ('consequence', NULL, 'clusters', 'resizeResult', 'queries'),
        ('consequence', NULL, 'clusters', 'deleteResult', 'queries'),
        ('call', 'warehouses.create', 'databrickssql', 'createWarehouse', 'overwatch, queries'),
        ('call', 'warehouses.create', 'databrickssql', 'createEndpoint', 'overwatch, queries'),
        ('call', 'warehouses.edit', 'databrickssql', 'editWarehouse', 'overwatch, queries'),
        ('call', 'warehouses.edit', 'databrickssql', 'editEndpoint', 'overwatch, queries'),
        ('call', 'warehouses.delete', 'databrickssql', 'deleteWarehouse', 'overwatch, queries'),
        ('call', 'warehouses.delete', 'databrickssql', 'deleteEndpoint', 'overwatch, queries'),
        ('call', 'queries.create', 'databrickssql', 'createQuery', 'queries'),
        ('call', 'statement_execution.execute_statement', 'databrickssql', 'commandSubmit', 'queries'),
        ('consequence', NULL, 'databrickssql', 'commandFinish', 'queries'),
        ('call', 'secrets.get_secret', 'secrets', 'getSecret', 'andyweaves, panther, queries'),
        ('call', 'secrets.put_secret', 'secrets', 'putSecret', 'queries'),
        ('call', 'secrets.delete_secret', 'secrets', 'deleteSecret', 'queries'),
        ('call', 'secrets.list_secrets', 'secrets', 'listSecrets', 'panther'),
        ('call', 'secrets.create_scope', 'secrets', 'createScope', 'queries'),
        ('call', 'secrets.put_acl', 'secrets', 'putAcl', 'andyweaves, queries'),
        ('call', 'catalogs.create', 'unityCatalog', 'createCatalog', 'queries'),
        ('call', 'catalogs.get', 'unityCatalog', 'getCatalog', 'panther'),
        ('call', 'catalogs.update', 'unityCatalog', 'updateCatalog', 'panther'),
        ('call', 'schemas.create', 'unityCatalog', 'createSchema', 'queries'),
        ('call', 'schemas.get', 'unityCatalog', 'getSchema', 'panther'),
        ('call', 'schemas.update', 'unityCatalog', 'updateSchema', 'panther'),
        ('call', 'schemas.delete', 'unityCatalog', 'deleteSchema', 'queries'),
        ('call', 'tables.get', 'unityCatalog', 'getTable', 'panther, queries'),
        ('call', 'tables.delete', 'unityCatalog', 'deleteTable', 'panther, queries'),
        ('call', 'grants.get', 'unityCatalog', 'getPermissions', 'queries'),
        ('call', 'grants.update', 'unityCatalog', 'updatePermissions', 'andyweaves, panther, queries'),
        ('call', 'temporary_table_credentials.generate_temporary_table_credentials', 'unityCatalog',
            'generateTemporaryTableCredential', 'andyweaves, panther, queries'),
        ('call', 'temporary_path_credentials.generate_temporary_path_credentials', 'unityCatalog',
            'generateTemporaryPathCredential', 'andyweaves, panther, queries'),
        ('call', 'temporary_volume_credentials.generate_temporary_volume_credentials', 'unityCatalog',
            'generateTemporaryVolumeCredential', 'andyweaves, panther'),
        ('call', 'files.download', 'filesystem', 'filesGet', 'andyweaves, panther, queries'),
        ('call', 'files.upload', 'filesystem', 'filesPut', 'queries'),
        ('call', 'files.delete', 'filesystem', 'filesDelete', 'queries'),
        ('call', 'files.get_metadata', 'filesystem', 'filesHead', 'queries'),
        ('call', 'files.delete_directory', 'filesystem', 'directoriesDelete', 'queries'),
        ('call', 'workspace.export', 'workspace', 'workspaceExport', 'andyweaves, panther, queries'),
        ('call', 'workspace_conf.set_status', 'workspace', 'workspaceConfEdit', 'andyweaves, panther'),
        ('call', 'serving_endpoints.create', 'serverlessRealTimeInference', 'createServingEndpoint', 'queries'),
        ('call', 'serving_endpoints.update_config', 'serverlessRealTimeInference', 'updateServingEndpoint', 'queries'),
        ('call', 'serving_endpoints.delete', 'serverlessRealTimeInference', 'deleteServingEndpoint', 'queries'),
        ('call', 'serving_endpoints.put_ai_gateway', 'serverlessRealTimeInference', 'putInferenceEndpointAiGateway', 'queries'),
        ('call', 'serving_endpoints.set_permissions', 'serverlessRealTimeInference', 'changeInferenceEndpointAcl', 'queries'),
        ('call', 'serving_endpoints.update_permissions', 'serverlessRealTimeInference', 'changeInferenceEndpointAcl', 'queries'),
        ('call', 'tokens.create', 'accounts', 'generateDbToken', 'andyweaves, panther'),
        ('call', 'token_management.create_obo_token', 'accounts', 'generateDbToken', 'andyweaves, panther'),
        ('call', 'tokens.delete', 'accounts', 'revokeDbToken', 'panther'),
        ('call', 'token_management.delete', 'accounts', 'revokeDbToken', 'panther'),
        ('call', 'ip_access_lists.create', 'accounts', 'createIpAccessList', 'andyweaves, panther'),
        ('call', 'ip_access_lists.replace', 'accounts', 'updateIpAccessList', 'andyweaves, panther'),
        ('call', 'ip_access_lists.update', 'accounts', 'updateIpAccessList', 'andyweaves, panther'),
        ('call', 'ip_access_lists.delete', 'accounts', 'deleteIpAccessList', 'andyweaves, panther'),
        ('login', NULL, 'accounts', 'tokenLogin', 'andyweaves, panther'),
        ('login', NULL, 'accounts', 'oidcTokenAuthorization', 'queries'),
        ('login', NULL, 'accounts', 'mintOAuthToken', 'reference, queries'),
        ('login', NULL, 'accounts', 'workspaceInHouseOAuthClientAuthentication', 'queries'),
        ('login', NULL, 'accounts', 'accountInHouseOAuthClientAuthentication', 'reference'),
        ('login', NULL, 'accounts', 'aadTokenLogin', 'andyweaves, panther, reference'),
        ('login', NULL, 'accounts', 'jwtLogin', 'andyweaves, panther, reference')
) AS t (kind, operation, service_name, action_name, source)
