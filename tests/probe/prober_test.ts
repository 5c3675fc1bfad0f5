import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseProbeTarget } from "../../lib/parse/probe_target.ts";
import { Prober } from "../../lib/probe/prober.ts";
import type { ProbeKind } from "../../lib/types.ts";
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

function probe(kind: ProbeKind, target: string): Promise<number> {
  const resolver = { resolve: () => Promise.resolve(["127.0.0.1"]) };
  return new Prober({ shell, resolver }).probe(parseProbeTarget(kind, target), { signal });
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
    const icmp = new Prober({ shell });
    assertEquals(await icmp.probe({ kind: "icmp", host: "127.0.0.2" }, { signal }), -1);
  });
  assertEquals(lines.length, 3);
  assertStringIncludes(lines[0] ?? "", "tcp probe of some.example lost: Cannot connect");
  assertStringIncludes(lines[2] ?? "", "no reply");
  assertEquals(lines.some((line) => line.includes("secret")), false);
});

Deno.test("Prober.probe() gives -1 when a name can't be resolved", async () => {
  const resolver = { resolve: () => Promise.reject(new Error("Cannot resolve x")) };
  const prober = new Prober({ shell, resolver });
  for (const kind of ["icmp", "tcp", "http"] as const) {
    assertEquals(await prober.probe(parseProbeTarget(kind, "x"), { signal }), -1);
  }
});

Deno.test("Prober.probe() rejects when its signal aborts", async () => {
  const controller = new AbortController();
  const resolver = { resolve: () => new Promise<string[]>(() => {}) };
  const prober = new Prober({ shell, resolver });
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
