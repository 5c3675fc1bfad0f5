/**
 * Everything that an agent does after it has sealed itself: `sealed_work.ts FOLDER` ends with 0 when
 * all of it works under the filter, and with the first failure otherwise.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Libc } from "../../lib/host/libc.ts";
import { LocalHost } from "../../lib/host/local_host.ts";
import { sealByKernel } from "../../lib/sandbox/seal.ts";
import { Shell } from "../../lib/sandbox/shell.ts";

const [folder = ""] = Deno.args;
const host = new LocalHost();
const libc = new Libc();
const uptime = host.open("/proc/uptime");
const links = host.openLinks("/proc/net/dev");
const shell = new Shell(host.roots);
const server = Deno.listen({ port: 0, hostname: "127.0.0.1" });
const listener = Deno.listen({ port: 0, hostname: "::1" });
const state = Deno.openSync(`${folder}/state`, { read: true, write: true, create: true });
// The runtime makes the pipe that signals arrive by with the first listener, as the agent does at its start.
Deno.addSignalListener("SIGTERM", () => Deno.exit(2));

sealByKernel();

/** Answers one request, whatever it is. */
async function answerOnce(from: Deno.TcpListener): Promise<void> {
  using connection = await from.accept();
  await connection.read(new Uint8Array(1024));
  const response = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nanswer";
  await connection.write(new TextEncoder().encode(response));
}

const WORK: Readonly<Record<string, () => unknown>> = {
  "reads files that are open": () => assert(Number(uptime.read()?.split(" ")[0]) > 0),
  "looks at files that are not open": () => {
    assert(Deno.statSync("/proc/self/stat").isFile);
    assert(Deno.readLinkSync("/proc/self/exe").length > 0);
  },
  "writes and syncs files that are open": async () => {
    await state.write(new TextEncoder().encode("kept"));
    state.syncDataSync();
    await state.syncData();
    assert(state.tryLockSync(true));
    const kept = new Uint8Array(4);
    state.seekSync(0, Deno.SeekMode.Start);
    assertEquals(state.readSync(kept), 4);
    assertEquals(new TextDecoder().decode(kept), "kept");
  },
  "asks for space, also beside other work": async () => {
    assert(libc.statfs("/").blocks > 0);
    await Promise.all(Array.from({ length: 40 }, () => libc.statfsAsync("/")));
  },
  "asks which interface has a name": () => {
    assertEquals(links?.find("lo"), 1);
    assert(links?.counters(1) !== undefined);
    assertEquals(links?.traits(1)?.isLoopback, true);
    assertEquals(links?.changes()?.has(0), false);
  },
  "asks the helper shell": async () => {
    assert(await shell.countProcesses() > 0);
    await shell.ping("127.0.0.1");
  },
  "fetches over HTTP, and answers at a port that was opened before": async () => {
    const { port } = server.addr;
    const [answer] = await Promise.all([fetch(`http://127.0.0.1:${port}/`), answerOnce(server)]);
    assertEquals(await answer.text(), "answer");
  },
  "talks over TCP": async () => {
    using connection = await Deno.connect({ hostname: "::1", port: listener.addr.port });
    connection.setNoDelay(true);
    connection.setKeepAlive(true);
    (await listener.accept()).close();
  },
  "resolves names by the helper shell": async () => {
    if (!await shell.canLookUp()) return;
    assert((await shell.lookUp("localhost") ?? []).length > 0);
    assert(await shell.lookUpHosts("localhost") !== undefined);
  },
  "lists addresses of interfaces": () => assert(host.interfaceAddresses().length > 0),
  "starts workers": async () => {
    const worker = new Worker("data:text/javascript,postMessage(7)", { type: "module" });
    assertEquals(await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data)), 7);
    worker.terminate();
  },
  "takes and gives back memory": () => {
    for (let round = 0; round < 5; round++) assert(new Uint8Array(30 * 2 ** 20).fill(1).length > 0);
    assert(Array.from({ length: 300_000 }, (_, index) => ({ index })).length > 0);
  },
  "loads what is inside the runtime late": async () => {
    const { gzipSync } = await import("node:zlib");
    assert(gzipSync("text").length > 0);
    for (const name of ["tls", "stream", "dns/promises"]) await import(`node:${name}`);
  },
  "encrypts and draws": async () => {
    assertEquals((await crypto.subtle.digest("SHA-256", new Uint8Array(5))).byteLength, 32);
    crypto.getRandomValues(new Uint8Array(16));
  },
  "waits": () => new Promise((resolve) => setTimeout(resolve, 1)),
  "notices its signals": async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    Deno.addSignalListener("SIGUSR2", resolve);
    Deno.kill(Deno.pid, "SIGUSR2");
    await promise;
    Deno.removeSignalListener("SIGUSR2", resolve);
  },
  "ends the helper shell": () => shell.close(),
};

for (const [name, act] of Object.entries(WORK)) {
  try {
    await act();
    console.log(name);
  } catch (error) {
    console.log(`FAILED ${name}: ${error instanceof Error ? error.stack : error}`);
    Deno.exit(1);
  }
}
Deno.exit(0);
