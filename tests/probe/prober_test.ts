import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseProbeTarget } from "../../lib/parse/probe_target.ts";
import { Prober } from "../../lib/probe/prober.ts";
import type { ProbeKind } from "../../lib/types.ts";
import { timed } from "../fake_time.ts";
import { CLOSED_PORT } from "../free_port.ts";
import { collectedDebugLog } from "../log/collected_log.ts";
import { fakePolicy, type LookUp, saying } from "./fake_names.ts";

const signal = new AbortController().signal;

const REPLY = "64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=7.9 ms";
const LOSS = "1 packets transmitted, 0 received, 100% packet loss";

const KINDS = ["icmp", "tcp", "http"] as const;

const pingOf = (address: string) => Promise.resolve(address === "127.0.0.2" ? LOSS : REPLY);

/** Probes by names that lead where `lookUp` says; only 127.0.0.2 answers no ping by default. */
function proberBy(lookUp?: LookUp, ping = pingOf) {
  const prober = new Prober({ ping }, fakePolicy(lookUp));
  return (kind: ProbeKind, target: string, options = { signal }) =>
    prober.probe(parseProbeTarget(kind, target), options);
}

/** The warnings, which say what is not probed. */
function refusalsIn(lines: readonly string[]): (string | undefined)[] {
  const warnings = lines.filter((line) => line.includes("warning"));
  return warnings.map((line) => line.split(" Refused to probe ")[1]);
}

Deno.test("Prober.probe() measures each kind, gives -1 for what is lost, and says why to those who debug", async () => {
  await using server = saying("HTTP/1.1 200 OK\r\n\r\n");
  const probe = proberBy((host) => [host === "lost.example" ? "127.0.0.2" : "127.0.0.1"]);
  const lines = await collectedDebugLog(async () => {
    for (const kind of KINDS) {
      const ms = await probe(kind, `some.example:${server.port}`);
      assert(ms !== undefined && ms >= 0 && (ms === 7.9) === (kind === "icmp"), `${kind} ${ms}`);
    }
    assertEquals(await probe("tcp", `some.example:${CLOSED_PORT}`), -1);
    assertEquals(await probe("http", `some.example:${CLOSED_PORT}/path?secret`), -1);
    assertEquals(await probe("icmp", "lost.example"), -1);
  });
  assertEquals(lines.length, 6);
  const [icmp = "", , , tcp = "", http = "", lost = ""] = lines;
  assertStringIncludes(icmp, "icmp probe of some.example: 7 ms");
  assertStringIncludes(tcp, "tcp probe of some.example lost: Cannot connect");
  assert(!http.includes("secret"), http);
  assertStringIncludes(lost, "no reply");
});

Deno.test("Prober.probe() gives -1 when a name can't be resolved, and rejects when its signal aborts", async () => {
  let asked = 0;
  const probe = proberBy((host) => {
    asked++;
    return host === "x" ? Promise.reject(new Error("no such name")) : new Promise<never>(() => {});
  });
  for (const kind of KINDS) assertEquals(await probe(kind, "x"), -1);
  const controller = new AbortController();
  const hangs = (kind: ProbeKind) =>
    assertRejects(() => probe(kind, "hangs", controller), Error, "enough");
  const probes = KINDS.map(hangs);
  controller.abort(new Error("enough"));
  await Promise.all(probes);
  const before = asked;
  await hangs("icmp");
  assertEquals(asked, before, "it looks nothing up then");
});

Deno.test("Prober.probe() refuses what a name must not lead to, and says so once", async () => {
  let asked = 0;
  const lines = await collectedDebugLog(async () => {
    const probe = proberBy(() => (asked++, ["169.254.169.254"]));
    for (const kind of KINDS) assertEquals(await probe(kind, "meta.example"), -1);
    assertEquals(await probe("http", "meta.example/other"), -1);
  });
  assertEquals(asked, 4);
  const why = "meta.example: 169.254.169.254 is a link-local address; its result is -1";
  assertEquals(refusalsIn(lines), [why]);
});

timed.test("Prober.probe() makes up no result where too many of an address are due, and says so once", async (time) => {
  let pings = 0;
  const probe = proberBy(undefined, () => Promise.resolve((pings++, REPLY)));
  const lines = await collectedDebugLog(async () => {
    const probes = Array.from({ length: 250 }, () => probe("icmp", "192.0.2.1"));
    await time.run(11_000);
    const values = Object.groupBy(await Promise.all(probes), String);
    assertEquals([pings, values["7.9"]?.length, values["undefined"]?.length], [220, 220, 30]);
  });
  const why = "192.0.2.1 more than 20 times a second; nothing is sent for it";
  assertEquals(refusalsIn(lines), [why]);
});
