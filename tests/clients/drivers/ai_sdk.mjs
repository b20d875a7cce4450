// @databricks/ai-sdk-provider: `ai_sdk.mjs MODEL`, one chat. The proxy comes with the fetch that it is given.
import { createDatabricksProvider } from "@databricks/ai-sdk-provider";
import { EnvHttpProxyAgent, fetch } from "undici";

const tell = (outcome) => console.log("\n" + JSON.stringify(outcome));
const dispatcher = new EnvHttpProxyAgent();
try {
  const provider = createDatabricksProvider({
    baseURL: `${process.env.DATABRICKS_HOST}/serving-endpoints`,
    headers: { Authorization: `Bearer ${process.env.DATABRICKS_TOKEN}` },
    fetch: (url, init) => fetch(url, { ...init, dispatcher }),
  });
  const prompt = [{ role: "user", content: [{ type: "text", text: "hi" }] }];
  const answer = await provider.chatCompletions(process.argv[2]).doGenerate({ prompt, maxOutputTokens: 9 });
  tell({ value: answer.content.filter((part) => part.type === "text").map((part) => part.text) });
} catch (error) {
  tell({ error: String(error.responseBody ?? error.message ?? error), kind: error.name });
}
process.exit(0);
