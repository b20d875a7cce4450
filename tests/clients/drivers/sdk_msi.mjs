// @databricks/sdk-experimental with a managed identity: `sdk_msi.mjs allowed|refused`. 169.254.169.254, which the SDK has written in,
// is led to the port IDENTITY_PORT of this machine, as a link-local route would lead it to Azure's.
import net from "node:net";
import { WorkspaceClient } from "@databricks/sdk-experimental";
import { HttpsProxyAgent } from "https-proxy-agent";

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...given) {
  const options = Array.isArray(given[0]) ? given[0][0] : given[0];
  if (options.host === "169.254.169.254") {
    Object.assign(options, { host: "127.0.0.1", port: Number(process.env.IDENTITY_PORT) });
  }
  return connect.apply(this, given);
};

const tell = (outcome) => console.log("\n" + JSON.stringify(outcome));
try {
  const client = new WorkspaceClient(
    { authType: "azure-msi", azureUseMsi: true },
    { agent: new HttpsProxyAgent(process.env.HTTPS_PROXY) },
  );
  const value = [];
  const found = process.argv[2] === "refused" ? client.warehouses.list({}) : client.catalogs.list({});
  for await (const each of found) value.push(each.name);
  tell({ value });
} catch (error) {
  tell({ error: String(error.message ?? error), kind: error.name });
}
process.exit(0);
