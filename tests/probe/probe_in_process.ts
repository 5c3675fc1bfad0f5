import { probeHttp } from "../../lib/probe/http.ts";

// Probes a URL on loopback, in a process whose environment names proxies; prints "ok".

const [url = "", authority = ""] = Deno.args;
await probeHttp(new URL(url), {
  signal: AbortSignal.timeout(10_000),
  resolver: { resolve: () => Promise.resolve(["127.0.0.1"]) },
  caCerts: [authority],
});
console.log("ok");
