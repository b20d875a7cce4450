// Node: `rest.mjs fetch|undici PATH`. The built-in fetch knows no proxy variable before Node 24, so a dispatcher is set.
import { EnvHttpProxyAgent, fetch as undiciFetch, setGlobalDispatcher } from "undici";

const host = "dbc-a1b2c3d4-e5f6.cloud.databricks.com";
const [how, path] = process.argv.slice(2);
const tell = (outcome) => console.log("\n" + JSON.stringify(outcome));
try {
  const dispatcher = new EnvHttpProxyAgent();
  setGlobalDispatcher(dispatcher);
  const call = how === "undici" ? undiciFetch : globalThis.fetch;
  const answer = await call(`https://${host}${path}`, {
    headers: { Authorization: `Bearer ${process.env.DATABRICKS_TOKEN}` },
  });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.message);
  tell({ value: value.catalogs.map((each) => each.name) });
} catch (error) {
  tell({ error: String(error.cause ?? error), kind: error.name });
}
process.exit(0);
