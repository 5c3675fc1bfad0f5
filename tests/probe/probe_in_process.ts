import { HttpProbe } from "../../lib/probe/http.ts";
import { fakePolicy } from "./fake_names.ts";

// Probes a URL on loopback, in a process whose environment names proxies; prints "ok".

const [url = "", authority] = Deno.args;
const probe = new HttpProbe(fakePolicy(), authority === undefined ? {} : { caCerts: [authority] });
const signal = AbortSignal.timeout(10_000);
await probe.probe(new URL(url), { signal, measured: (run) => run(signal) });
console.log("ok");
