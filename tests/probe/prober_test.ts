import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseProbeTarget } from "../../lib/parse/probe_target.ts";
import { ProbePolicy } from "../../lib/probe/policy.ts";
import { Prober } from "../../lib/probe/prober.ts";
import type { ProbeKind } from "../../lib/types.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "./collected_log.ts";
import { RawServer, write } from "./raw_server.ts";

const signal = new AbortController().signal;

const shell = {
  ping: (address: string) =>
    Promise.resolve(
      address === "127.0.0.1"
        ? "64 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=7.9 ms"
        : "1 packets transmitted, 0 received, 100% packet loss",
    ),
};

/** A prober for which each name leads to the address. */
function proberOf(address: string, { allowLoopback = true } = {}): Prober {
  const resolver = { resolve: () => Promise.resolve([address]) };
  return new Prober(shell, new ProbePolicy(resolver, { allowLoopback }));
}

function probe(kind: ProbeKind, target: string): Promise<number> {
  return proberOf("127.0.0.1").probe(parseProbeTarget(kind, target), { signal });
}

Deno.test("Prober.probe() measures each kind in whole milliseconds", async () => {
  const server = new RawServer((_, connection) => write(connection, "HTTP/1.1 200 OK\r\n\r\n"));
  const host = `some.example:${server.port}`;
  for (const kind of ["icmp", "tcp", "http"] as const) {
    const ms = await probe(kind, host);
    assert(Number.isInteger(ms) && ms >= 0 && ms < 1000, `${kind} ${ms}`);
  }
  assertEquals(await probe("icmp", host), 7);
  await server.close();
});

Deno.test("Prober.probe() gives -1 for what is lost, and says why to those who debug", async () => {
  const server = new RawServer(() => Promise.resolve());
  await server.close();
  const lines = await collectedLog(async () => {
    assertEquals(await probe("tcp", `some.example:${server.port}`), -1);
    assertEquals(await probe("http", `some.example:${server.port}/path?secret`), -1);
    const icmp = proberOf("127.0.0.2");
    assertEquals(await icmp.probe({ kind: "icmp", host: "127.0.0.2" }, { signal }), -1);
  });
  assertEquals(lines.length, 3);
  assertStringIncludes(lines[0] ?? "", "tcp probe of some.example lost: Cannot connect");
  assertStringIncludes(lines[2] ?? "", "no reply");
  assertEquals(lines.some((line) => line.includes("secret")), false);
});

Deno.test("Prober.probe() gives -1 when a name can't be resolved", async () => {
  const resolver = { resolve: () => Promise.reject(new Error("Cannot resolve x")) };
  const prober = new Prober(shell, new ProbePolicy(resolver, { allowLoopback: true }));
  for (const kind of ["icmp", "tcp", "http"] as const) {
    assertEquals(await prober.probe(parseProbeTarget(kind, "x"), { signal }), -1);
  }
});

Deno.test("Prober.probe() rejects when its signal aborts", async () => {
  const controller = new AbortController();
  const resolver = { resolve: () => new Promise<string[]>(() => {}) };
  const prober = new Prober(shell, new ProbePolicy(resolver, { allowLoopback: true }));
  const probes = (["icmp", "tcp", "http"] as const).map((kind) =>
    assertRejects(
      () => prober.probe(parseProbeTarget(kind, "x"), { signal: controller.signal }),
      Error,
      "enough",
    )
  );
  controller.abort(new Error("enough"));
  await Promise.all(probes);
});

Deno.test("Prober.probe() refuses what a name must not lead to, and says so once", async () => {
  let asked = 0;
  const resolver = {
    resolve: () => {
      asked++;
      return Promise.resolve(["169.254.169.254"]);
    },
  };
  const lines = await collectedLog(async () => {
    const prober = new Prober(shell, new ProbePolicy(resolver, { allowLoopback: true }));
    for (const kind of ["icmp", "tcp", "http", "http"] as const) {
      const target = parseProbeTarget(kind, "meta.example");
      assertEquals(await prober.probe(target, { signal }), -1);
    }
  });
  assertEquals(asked, 4);
  const warnings = lines.filter((line) => line.includes("warning"));
  assertEquals(warnings.length, 1);
  assertStringIncludes(
    warnings[0] ?? "",
    "Refused to probe meta.example: 169.254.169.254 is a link-local address; its result is -1",
  );
});

Deno.test("Prober.probe() logs few of many refusals", async () => {
  const lines = await collectedLog(async () => {
    const prober = proberOf("127.0.0.1", { allowLoopback: false });
    for (let count = 0; count < 50; count++) {
      const target = parseProbeTarget("tcp", `${count}.example:80`);
      assertEquals(await prober.probe(target, { signal }), -1);
    }
  });
  assertEquals(lines.filter((line) => line.includes("warning")).length, 3);
});

Deno.test("Prober.probe() follows no redirect to an address that may not be probed", async () => {
  const server = new RawServer((_, connection) => {
    return write(connection, "HTTP/1.1 302 Found\r\nLocation: http://inner.example/secret\r\n\r\n");
  });
  const addresses: Record<string, string> = {
    "outer.example": "127.0.0.1",
    "inner.example": "169.254.1.1",
  };
  const resolver = { resolve: (host: string) => Promise.resolve([addresses[host] ?? ""]) };
  const lines = await collectedLog(async () => {
    const prober = new Prober(shell, new ProbePolicy(resolver, { allowLoopback: true }));
    const target = parseProbeTarget("http", `http://outer.example:${server.port}/`);
    assertEquals(await prober.probe(target, { signal }), -1);
  });
  assertEquals(server.requests.length, 1);
  assert(lines.some((line) => line.includes("Refused to probe inner.example")), lines.join("\n"));
  await server.close();
});

Deno.test("Prober.probe() reaches one address and port once a second, whoever names it", async () => {
  using time = new FakeTime();
  const startedAtMs: number[] = [];
  const resolver = { resolve: () => Promise.resolve(["192.0.2.1"]) };
  const counting = {
    ping: () => {
      startedAtMs.push(performance.now());
      return Promise.resolve("64 bytes from 192.0.2.1: icmp_seq=1 ttl=64 time=7.9 ms");
    },
  };
  const prober = new Prober(counting, new ProbePolicy(resolver, { allowLoopback: false }));
  const probes = Array.from(
    { length: 15 },
    (_, at) => prober.probe(parseProbeTarget("icmp", `${at}.example`), { signal }),
  );
  await time.until(Promise.all(probes), { withinMs: 60_000, stepMs: 100 });
  assertEquals(startedAtMs, Array.from({ length: 11 }, (_, at) => at * 1000));
  assertEquals((await Promise.all(probes)).filter((value) => value === -1).length, 4);
});
