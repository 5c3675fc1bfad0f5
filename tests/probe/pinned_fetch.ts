import { createPinnedClient, Relay } from "../../lib/probe/http.ts";

// Fetches by a pinned client, in a process whose environment names proxies; prints JSON.

const [port = "", proxyUrl] = Deno.args;
const before = Deno.env.toObject();
const { signal } = new AbortController();
using relay = new Relay(["127.0.0.1"], { port: Number(port), signal });
let status = 0;
let error = "";
try {
  using client = createPinnedClient(proxyUrl ?? relay.url);
  // A name that nothing but the relay leads anywhere.
  const response = await fetch("http://pinned.invalid/", { client });
  await response.body?.cancel();
  status = response.status;
} catch (cause) {
  error = String(cause);
}
const after = Deno.env.toObject();
const changed = Object.keys({ ...before, ...after }).filter((name) => before[name] !== after[name]);
console.log(JSON.stringify({ status, error, changed }));
