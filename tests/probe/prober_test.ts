import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { parseProbeTarget } from "../../lib/parse/probe_target.ts";
import { Prober } from "../../lib/probe/prober.ts";
import type { ProbeKind } from "../../lib/types.ts";
import { timed } from "../fake_time.ts";
import { fakeResolver, policyOf } from "./fake_names.ts";
import { collectedDebugLog } from "../log/collected_log.ts";
import { answering, saying } from "./fake_names.ts";
import { CLOSED_PORT } from "../free_port.ts";

const signal = new AbortController().signal;

const REPLY = "64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=7.9 ms";
const LOSS = "1 packets transmitted, 0 received, 100% packet loss";
const shell = {
  ping: (address: string) => Promise.resolve(address === "127.0.0.1" ? REPLY : LOSS),
};

const KINDS = ["icmp", "tcp", "http"] as const;

function proberBy(lookUp: Parameters<typeof fakeResolver>[0]): Prober {
  return new Prober(shell, policyOf(fakeResolver(lookUp)));
}

async function probe(kind: ProbeKind, target: string, address = "127.0.0.1"): Promise<number> {
  const prober = proberBy(() => [address]);
  return await prober.probe(parseProbeTarget(kind, target), { signal }) ?? NaN;
}

Deno.test("Prober.probe() measures each kind, with fractions of milliseconds", async () => {
  await using server = saying("HTTP/1.1 200 OK\r\n\r\n");
  const host = `some.example:${server.port}`;
  for (const kind of KINDS) {
    const ms = await probe(kind, host);
    assert(ms >= 0, `${kind} ${ms}`);
  }
  const lines = await collectedDebugLog(async () => {
    assertEquals(await probe("icmp", host), 7.9);
  });
  assertStringIncludes(lines[0] ?? "", "icmp probe of some.example: 7 ms");
});

Deno.test("Prober.probe() gives -1 for what is lost, and says why to those who debug", async () => {
  const lines = await collectedDebugLog(async () => {
    assertEquals(await probe("tcp", `some.example:${CLOSED_PORT}`), -1);
    assertEquals(await probe("http", `some.example:${CLOSED_PORT}/path?secret`), -1);
    assertEquals(await probe("icmp", "127.0.0.2", "127.0.0.2"), -1);
  });
  assertEquals(lines.length, 3);
  assertStringIncludes(lines[0] ?? "", "tcp probe of some.example lost: Cannot connect");
  assertStringIncludes(lines[2] ?? "", "no reply");
  assertEquals(lines.some((line) => line.includes("secret")), false);
});

Deno.test("Prober.probe() gives -1 when a name can't be resolved", async () => {
  const prober = proberBy(() => Promise.reject(new Error("no such name")));
  for (const kind of KINDS) {
    assertEquals(await prober.probe(parseProbeTarget(kind, "x"), { signal }), -1);
  }
});

Deno.test("Prober.probe() rejects when its signal aborts, and measures nothing when it has", async () => {
  const asked: string[] = [];
  const prober = proberBy((host) => (asked.push(host), new Promise<never>(() => {})));
  const controller = new AbortController();
  const probe = (kind: ProbeKind) => prober.probe(parseProbeTarget(kind, "x"), controller);
  const probes = KINDS.map((kind) => assertRejects(() => probe(kind), Error, "enough"));
  controller.abort(new Error("enough"));
  await Promise.all(probes);
  const { length } = asked;
  await assertRejects(() => probe("icmp"), Error, "enough");
  assertEquals(asked.length, length);
});

Deno.test("Prober.probe() refuses what a name must not lead to, and says so once", async () => {
  let asked = 0;
  const lines = await collectedDebugLog(async () => {
    const prober = proberBy(() => (asked++, ["169.254.169.254"]));
    const table = [["icmp", ""], ["tcp", ""], ["http", ""], ["http", "/other"]] as const;
    for (const [kind, path] of table) {
      const target = parseProbeTarget(kind, `meta.example${path}`);
      assertEquals(await prober.probe(target, { signal }), -1);
    }
  });
  assertEquals(asked, 4);
  const warnings = lines.filter((line) => line.includes("warning"));
  assertEquals(warnings.length, 1);
  const why = "Refused to probe meta.example: 169.254.169.254 is a link-local address; its result";
  assertStringIncludes(warnings[0] ?? "", why);
});

/** A prober that notes when it sends pings, each of which takes so long. */
function countingProber({ tookMs = 0 } = {}) {
  const startedAtMs: number[] = [];
  const signals: AbortSignal[] = [];
  const resolver = fakeResolver(() => ["192.0.2.1"]);
  const counting = {
    ping: async (_: string, { signal }: { signal?: AbortSignal } = {}) => {
      startedAtMs.push(performance.now());
      if (signal) signals.push(signal);
      if (tookMs > 0) await delay(tookMs);
      return REPLY;
    },
  };
  const prober = new Prober(counting, policyOf(resolver, { allowLocal: false }));
  const ping = (host: string, options = { signal }) =>
    prober.probe(parseProbeTarget("icmp", host), options);
  return { ping, startedAtMs, signals };
}

timed.test("Prober.probe() reaches an address 20 times a second, whoever names it, and makes up no result", async (time) => {
  const { ping, startedAtMs } = countingProber();
  const lines = await collectedDebugLog(async () => {
    const probes: Promise<number | undefined>[] = [];
    for (let at = 0; at < 250; at++) {
      probes.push(ping(`${at}.example`));
      // So that few names are looked up at a time.
      await time.run(0);
    }
    await time.until(Promise.all(probes), { withinMs: 60_000, stepMs: 100 });
    const values = Object.groupBy(await Promise.all(probes), String);
    assertEquals([values["7.9"]?.length, values["undefined"]?.length], [220, 30]);
  });
  assertEquals(startedAtMs, Array.from({ length: 220 }, (_, at) => Math.floor(at / 20) * 1000));
  const warnings = lines.filter((line) => line.includes("warning"));
  assertEquals(warnings.length, 1);
  const why = "Refused to probe 192.0.2.1 more than 20 times a second; nothing is sent for it";
  assertStringIncludes(warnings[0] ?? "", why);
});

timed.test("Prober.probe() shares a measurement between all who want its target at that time", async (time) => {
  const { ping, startedAtMs } = countingProber({ tookMs: 100 });
  const values: (number | undefined)[] = [];
  for (let at = 0; at < 20; at++) {
    ping("a.example").then((ms) => values.push(ms));
    await time.run(50);
  }
  await time.run(100);
  assertEquals(startedAtMs, [0, 500]);
  assertEquals(values, Array(20).fill(7.9));
  // Slow ones are shared until they end.
  const slow = countingProber({ tookMs: 900 });
  for (let at = 0; at < 9; at++) {
    slow.ping("a.example");
    await time.run(100);
  }
  assertEquals(slow.startedAtMs.length, 1);
});

Deno.test("Prober.probe() shares no measurement between two ports of a host", async () => {
  await using server = saying("");
  const prober = proberBy(() => ["127.0.0.1"]);
  const probe = (port: number) =>
    prober.probe(parseProbeTarget("tcp", `some.example:${port}`), { signal });
  const values = await Promise.all([server.port, CLOSED_PORT].map(probe));
  assertEquals(values.map((ms) => ms === -1), [false, true]);
});

timed.test("Prober.probe() ends a shared measurement when nobody wants it any more", async (time) => {
  const { ping, startedAtMs, signals } = countingProber({ tookMs: 100 });
  const first = new AbortController();
  const second = new AbortController();
  const gone = assertRejects(() => ping("a.example", first), Error, "enough");
  const other = assertRejects(() => ping("a.example", second), Error, "enough");
  await time.run(10);
  first.abort(new Error("enough"));
  await gone;
  assertEquals(signals.map(({ aborted }) => aborted), [false]);
  second.abort(new Error("enough"));
  await other;
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
  const anew = ping("a.example");
  await time.run(100);
  assertEquals([await anew, startedAtMs.length], [7.9, 2]);
});

timed.test("Prober.probe() counts each redirect, and sends nothing for a probe that must end between two", async (time) => {
  await using server = answering((path, peer) => {
    const hop = Number(path.slice(1));
    return peer.write(
      hop < 5 ? `HTTP/1.1 302 Found\r\nLocation: /${hop + 1}\r\n\r\n` : "HTTP/1.1 200 OK\r\n\r\n",
    );
  });
  const prober = proberBy(() => ["127.0.0.1"]);
  const once = (site: number) =>
    prober.probe(parseProbeTarget("http", `http://${site}.example:${server.port}/0`), { signal });
  const probes = Array.from({ length: 5 }, (_, site) => once(site));
  assert(await time.until(Promise.all(probes), { withinMs: 60_000 }) >= 1000);
  assertEquals(server.requests.length, 30);
  assert((await Promise.all(probes)).every((ms) => ms !== undefined && ms >= 0));
});
