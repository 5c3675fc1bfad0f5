import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Shell } from "../../lib/sandbox/shell.ts";
import { UnreachableError } from "../../lib/probe/first_reachable.ts";
import { IcmpProbe } from "../../lib/probe/icmp.ts";
import { collectedDebugLog } from "../log/collected_log.ts";
import { onlyIf } from "../only_on.ts";

const signal = new AbortController().signal;

const REPLY = "64 bytes from ::1: icmp_seq=1 ttl=64 time=2.5 ms";
const LOST = "1 packets transmitted, 0 received, 100% packet loss, time 0ms";
const FORBIDDEN = "ping: socket: Operation not permitted";
const NO_ROUTE = "ping: connect: Network is unreachable";

/** Gives the listed outputs of `ping`, one a call. */
function scripted(outputs: (string | undefined | Error)[]): Pick<Shell, "ping"> {
  return {
    ping: () => {
      const output = outputs.shift();
      return output instanceof Error ? Promise.reject(output) : Promise.resolve(output);
    },
  };
}

function hasPing(): boolean {
  try {
    return new Deno.Command("ping", { args: ["-c", "1", "127.0.0.1"] }).outputSync().success;
  } catch {
    return false;
  }
}

for (const address of ["127.0.0.1", "::1"]) {
  const withPing = onlyIf(hasPing());
  withPing.test(`IcmpProbe.probe() measures a round trip to ${address} (needs a working ping)`, async () => {
    const shell = new Shell({ proc: "/proc" });
    const ms = await new IcmpProbe(shell).probe([address], { signal });
    await shell.close();
    assert(ms >= 0, `${ms}`);
  });
}

Deno.test("IcmpProbe.probe() ends with the signal that it was given", async () => {
  const stop = new AbortController();
  const lines = await collectedDebugLog(async () => {
    const icmp = new IcmpProbe({
      ping: (_, options) =>
        new Promise((_, reject) => {
          const fail = () => reject(new Error("the shell's own error"));
          options?.signal?.addEventListener("abort", fail);
        }),
    });
    const probing = icmp.probe(["127.0.0.1"], { signal: stop.signal });
    stop.abort(new Error("enough"));
    await assertRejects(() => probing, Error, "enough");
  });
  assertEquals(lines, []);
});

Deno.test("IcmpProbe.probe() takes the second address when there is no way to the first", async () => {
  const icmp = new IcmpProbe(scripted([NO_ROUTE, REPLY, NO_ROUTE]));
  assertEquals(await icmp.probe(["127.0.0.1", "::1"], { signal }), 2.5);
  await assertRejects(() => icmp.probe(["127.0.0.1"], { signal }), UnreachableError, NO_ROUTE);
});

Deno.test("IcmpProbe.probe() says once what keeps ping from working, when that changes, and when it ends", async () => {
  const gone = new Error("Cannot ask the shell: it has ended");
  const outputs = [undefined, undefined, FORBIDDEN, FORBIDDEN, REPLY, REPLY, gone, gone];
  const problems: (string | undefined)[] = [];
  const observer = { setProblem: (_: string, text?: string) => void problems.push(text) };
  const lines = await collectedDebugLog(async () => {
    const icmp = new IcmpProbe(scripted([...outputs]), observer);
    for (const output of outputs) {
      if (output === REPLY) assertEquals(await icmp.probe(["::1"], { signal }), 2.5);
      else await assertRejects(() => icmp.probe(["::1"], { signal }), Error, "Cannot ping ::1");
    }
  });
  const levels = lines.map((line) => /(\w+) +probe: ICMP probes/.exec(line)?.[1]);
  assertEquals(levels, ["warning", "warning", "info", "warning"]);
  assertStringIncludes(lines[0] ?? "", "install iputils-ping");
  assertStringIncludes(lines[1] ?? "", "CAP_NET_RAW");
  assertStringIncludes(lines[2] ?? "", "work again");
  assertStringIncludes(lines[3] ?? "", "it has ended");
  const logged = problems.map((text) => text && lines.some((line) => line.includes(text)));
  assertEquals(logged, [true, true, undefined, true]);
});

Deno.test("IcmpProbe.probe() says once that ping's output can't be read, or that there is no shell", async () => {
  const lines = await collectedDebugLog(async () => {
    const icmp = new IcmpProbe(scripted(["segfault", REPLY, "Killed"]));
    await assertRejects(() => icmp.probe(["::1"], { signal }), Error, "Cannot ping ::1");
    assertEquals(await icmp.probe(["::1"], { signal }), 2.5);
    const without = new IcmpProbe(undefined);
    for (const probe of [icmp, without]) {
      await assertRejects(() => probe.probe(["::1"], { signal }), Error, "Cannot ping ::1");
    }
  });
  assertEquals(lines.length, 2);
  assertStringIncludes(lines[0] ?? "", "segfault");
  assertStringIncludes(lines[1] ?? "", "/bin/sh");
});

Deno.test("IcmpProbe.isUsable() tells whether a ping can be sent, whoever answers", async () => {
  await collectedDebugLog(async () => {
    const isUsable = async (...outputs: Parameters<typeof scripted>[0]) => {
      const probes = outputs.map((output) => new IcmpProbe(scripted([output])));
      return await Promise.all(probes.map((probe) => probe.isUsable({ signal })));
    };
    assertEquals(await isUsable(REPLY, LOST, NO_ROUTE), [true, true, true]);
    const gone = new Error("the shell has ended");
    assertEquals(await isUsable(FORBIDDEN, undefined, gone), [false, false, false]);
    assertEquals(await new IcmpProbe(undefined).isUsable({ signal }), false);
  });
});
