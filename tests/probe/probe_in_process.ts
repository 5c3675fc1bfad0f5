import { HttpProbe } from "../../lib/probe/http.ts";

// Probes a URL on loopback, in a process whose environment names proxies; prints "ok".

const [url = "", authority] = Deno.args;
const policy = { admit: () => Promise.resolve(["127.0.0.1"]) };
const probe = new HttpProbe(policy, authority === undefined ? {} : { caCerts: [authority] });
const signal = AbortSignal.timeout(10_000);
await probe.probe(new URL(url), { signal, unmeasured: (run) => run() });
console.log("ok");
