import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { parseProbeTarget } from "../../lib/parse/probe_target.ts";
import { Prober } from "../../lib/probe/prober.ts";
import type { ProbeKind } from "../../lib/types.ts";
import { timed } from "../fake_time.ts";
import { CLOSED_PORT } from "../free_port.ts";
import { collectedDebugLog } from "../log/collected_log.ts";
import { fakeResolver, policyOf, saying } from "./fake_names.ts";

const signal = new AbortController().signal;

const REPLY = "64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=7.9 ms";
const LOSS = "1 packets transmitted, 0 received, 100% packet loss";
const shell = {
  ping: (address: string) => Promise.resolve(address === "127.0.0.1" ? REPLY : LOSS),
};

const KINDS = ["icmp", "tcp", "http"] as const;

/** Probes by names that lead to an address, or where `lookUp` says. */
function proberBy(lookUp: Parameters<typeof fakeResolver>[0] = () => ["127.0.0.1"]) {
  const prober = new Prober(shell, policyOf(fakeResolver(lookUp)));
  return (kind: ProbeKind, target: string, options = { signal }) =>
    prober.probe(parseProbeTarget(kind, target), options);
}

Deno.test("Prober.probe() measures each kind, gives -1 for what is lost, and says why to those who debug", async () => {
  await using server = saying("HTTP/1.1 200 OK\r\n\r\n");
  const probe = proberBy((host) => [host === "lost.example" ? "127.0.0.2" : "127.0.0.1"]);
  const lines = await collectedDebugLog(async () => {
    const values: (number | undefined)[] = [];
    for (const kind of KINDS) values.push(await probe(kind, `some.example:${server.port}`));
    assertEquals(values.map((ms) => ms !== undefined && ms >= 0), [true, true, true]);
    assertEquals(values[0], 7.9);
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
  const asked: string[] = [];
  const probe = proberBy((host) => {
    asked.push(host);
    return host === "x" ? Promise.reject(new Error("no such name")) : new Promise<never>(() => {});
  });
  for (const kind of KINDS) assertEquals(await probe(kind, "x"), -1);
  const controller = new AbortController();
  const hangs = (kind: ProbeKind) =>
    assertRejects(() => probe(kind, "hangs", controller), Error, "enough");
  const probes = KINDS.map(hangs);
  controller.abort(new Error("enough"));
  await Promise.all(probes);
  const { length } = asked;
  await hangs("icmp");
  assertEquals(asked.length, length, "it looks nothing up then");
});

Deno.test("Prober.probe() refuses what a name must not lead to, and says so once", async () => {
  let asked = 0;
  const lines = await collectedDebugLog(async () => {
    const probe = proberBy(() => (asked++, ["169.254.169.254"]));
    for (const kind of KINDS) assertEquals(await probe(kind, "meta.example"), -1);
    assertEquals(await probe("http", "meta.example/other"), -1);
  });
  assertEquals(asked, 4);
  const [warning = "", ...more] = lines.filter((line) => line.includes("warning"));
  assertEquals(more, []);
  const why = "Refused to probe meta.example: 169.254.169.254 is a link-local address; its result";
  assertStringIncludes(warning, why);
});

timed.test("Prober.probe() makes up no result where too many of an address are due, and says so once", async (time) => {
  let pings = 0;
  const ping = () => Promise.resolve((pings++, REPLY));
  const prober = new Prober({ ping }, policyOf(fakeResolver(() => ["192.0.2.1"])));
  const lines = await collectedDebugLog(async () => {
    const probes: Promise<number | undefined>[] = [];
    for (let at = 0; at < 250; at++) {
      probes.push(prober.probe(parseProbeTarget("icmp", `${at}.example`), { signal }));
      // So that few names are looked up at a time.
      await time.run(0);
    }
    await time.run(11_000);
    const values = Object.groupBy(await Promise.all(probes), String);
    assertEquals([pings, values["7.9"]?.length, values["undefined"]?.length], [220, 220, 30]);
  });
  const warnings = lines.filter((line) => line.includes("warning"));
  const words = /^\n?[^\n]*192\.0\.2\.1 more than 20 times a second; nothing is sent for it[^\n]*$/;
  assertMatch(warnings.join("\n"), words);
});
