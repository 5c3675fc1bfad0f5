import { abortable } from "@std/async/abortable";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UnreachableError } from "../../lib/probe/first_reachable.ts";
import { IcmpProbe, type Pinger } from "../../lib/probe/icmp.ts";
import { collectedDebugLog } from "../log/collected_log.ts";

const signal = new AbortController().signal;

const REPLY = "64 bytes from ::1: icmp_seq=1 ttl=64 time=2.5 ms";
const LOST = "1 packets transmitted, 0 received, 100% packet loss, time 0ms";
const FORBIDDEN = "ping: socket: Operation not permitted";
const NO_ROUTE = "ping: connect: Network is unreachable";
const GONE = new Error("Cannot ask the shell: it has ended");

type Output = string | undefined | Error;

/** Gives the listed outputs of `ping`, one a call. */
function scripted(...outputs: Output[]): Pinger {
  const next = () => {
    const output = outputs.shift();
    return output instanceof Error ? Promise.reject(output) : Promise.resolve(output);
  };
  return { ping: next };
}

Deno.test("IcmpProbe.probe() ends with the signal that it was given", async () => {
  const stop = new AbortController();
  const lines = await collectedDebugLog(async () => {
    const never = new Promise<never>(() => {});
    const icmp = new IcmpProbe({ ping: (_, it) => abortable(never, it?.signal ?? signal) });
    const probing = icmp.probe(["127.0.0.1"], stop);
    stop.abort(new Error("enough"));
    await assertRejects(() => probing, Error, "enough");
  });
  assertEquals(lines, []);
});

Deno.test("IcmpProbe.probe() takes the second address when there is no way to the first", async () => {
  const icmp = new IcmpProbe(scripted(NO_ROUTE, REPLY, NO_ROUTE));
  assertEquals(await icmp.probe(["127.0.0.1", "::1"], { signal }), 2.5);
  await assertRejects(() => icmp.probe(["127.0.0.1"], { signal }), UnreachableError, NO_ROUTE);
});

/** What is logged, without its time, and recorded as a problem while `ping` gives these outputs. */
async function logOf(...outputs: Output[]) {
  const problems: (string | undefined)[] = [];
  const observer = { setProblem: (_: string, text?: string) => void problems.push(text) };
  const lines = await collectedDebugLog(async () => {
    const icmp = new IcmpProbe(scripted(...outputs), observer);
    for (const output of outputs) {
      if (output === REPLY) assertEquals(await icmp.probe(["::1"], { signal }), 2.5);
      else await assertRejects(() => icmp.probe(["::1"], { signal }), Error, "Cannot ping ::1");
    }
  });
  return { lines, problems };
}

Deno.test("IcmpProbe.probe() says once what keeps ping from working, when that changes, and when it ends", async () => {
  const outputs = [undefined, undefined, FORBIDDEN, FORBIDDEN, REPLY, REPLY, GONE, GONE];
  const { lines, problems } = await logOf(...outputs);
  assertMatch(
    lines.join("\n"),
    /^.*warning.*install iputils-ping.*\n.*warning.*CAP_NET_RAW.*\n.*info.*work again\n.*warning.*it has ended$/,
  );
  const logged = problems.map((text) => text && lines.some((line) => line.includes(text)));
  assertEquals(logged, [true, true, undefined, true]);
  const unreadable = await logOf("segfault", REPLY, "Killed");
  assertEquals(unreadable.problems, []);
  assertMatch(unreadable.lines.join("\n"), /^.*segfault.*$/);
});

Deno.test("IcmpProbe.isUsable() tells whether a ping can be sent, whoever answers", async () => {
  const usable = (output: Output) => new IcmpProbe(scripted(output)).isUsable({ signal });
  const lines = await collectedDebugLog(async () => {
    for (const output of [REPLY, LOST, NO_ROUTE]) assertEquals(await usable(output), true);
    for (const output of [FORBIDDEN, undefined, GONE]) assertEquals(await usable(output), false);
    assertEquals(await new IcmpProbe(undefined).isUsable({ signal }), false);
  });
  assertMatch(lines.at(-1) ?? "", /\/bin\/sh could not be started/);
});
