// @databricks/sdk-experimental: `sdk.mjs allowed|refused`.
import { WorkspaceClient } from "@databricks/sdk-experimental";

const tell = (outcome) => console.log("\n" + JSON.stringify(outcome));
try {
  const client = new WorkspaceClient({});
  const value = [];
  if (process.argv[2] === "refused") {
    for await (const each of client.warehouses.list({})) value.push(each.name);
  } else {
    for await (const each of client.catalogs.list({})) value.push(each.name);
  }
  tell({ value });
} catch (error) {
  tell({ error: String(error.message ?? error), kind: error.name });
}
process.exit(0);
