// @databricks/sql: `sql.mjs WAREHOUSE`. It reads no proxy variable; the proxy is an option of connect().
import { DBSQLClient } from "@databricks/sql";

const tell = (outcome) => console.log("\n" + JSON.stringify(outcome));
const proxy = new URL(process.env.HTTPS_PROXY);
const client = new DBSQLClient({ logger: { log() {}, setLevel() {} } });
try {
  await client.connect({
    host: "dbc-a1b2c3d4-e5f6.cloud.databricks.com",
    path: `/sql/1.0/warehouses/${process.argv[2]}`,
    token: process.env.DATABRICKS_TOKEN,
    proxy: { protocol: "http", host: proxy.hostname, port: Number(proxy.port) },
  });
  const session = await client.openSession();
  const operation = await session.executeStatement("SELECT 42 AS answer");
  const rows = await operation.fetchAll();
  await operation.close();
  await session.close();
  tell({ value: rows.map((row) => row.answer) });
} catch (error) {
  // The message of the error says no more than "403"; what Brickscope said is in the answer's headers.
  const said = error.response?.headers?.get("x-thriftserver-error-message");
  tell({ error: said ?? String(error.message ?? error), kind: error.name });
}
process.exit(0);
