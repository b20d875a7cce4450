// @databricks/sdk-experimental: `sdk.mjs allowed|refused`. It reads no proxy variable; the proxy is an agent given to it.
import { WorkspaceClient } from "@databricks/sdk-experimental";
import { HttpsProxyAgent } from "https-proxy-agent";

const tell = (outcome) => console.log("\n" + JSON.stringify(outcome));
try {
  const client = new WorkspaceClient({}, { agent: new HttpsProxyAgent(process.env.HTTPS_PROXY) });
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
