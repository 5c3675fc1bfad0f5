import { assert, assertEquals, assertThrows } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { InterfaceLinks, openInterfaceLinks } from "../../lib/host/interface_links.ts";
import { Netlink } from "../../lib/host/netlink.ts";
import type { LinkMessage } from "../../lib/parse/netlink.ts";
import { parseNetDev } from "../../lib/parse/net_dev.ts";
import { same } from "../cases.ts";
import { hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";
import { onLinux, onlyIf } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

onLinux.test("InterfaceLinks.find() tells the index of this machine's interfaces, and nothing of others", () => {
  const links = openInterfaceLinks("/proc/net/dev", new Netlink());
  assert(links !== undefined);
  assertEquals(links.find("lo"), 1);
  for (const name of ["", "no-such", "lo\0", "a".repeat(16), "é".repeat(8)]) {
    assertEquals(links.find(name), undefined, name);
  }
});

onLinux.test("openInterfaceLinks() knows nothing of other files than this network's net/dev", () => {
  for (const path of ["/proc/net/route", "/no/such/file", "/proc/self/net/dev_mcast"]) {
    assertEquals(openInterfaceLinks(path, new Netlink()), undefined, path);
  }
});

/** Makes, renames and removes interfaces, and says after each step whether that was noticed. */
const CHANGES = `
  import { openInterfaceLinks } from "${new URL(
  "../../lib/host/interface_links.ts",
  import.meta.url,
)}";
  import { Netlink } from "${new URL("../../lib/host/netlink.ts", import.meta.url)}";
  const netlink = new Netlink();
  const links = openInterfaceLinks("/proc/1/net/dev", netlink) === undefined
    ? openInterfaceLinks("/proc/net/dev", netlink)
    : "another network's";
  const ip = (...args) => new Deno.Command("ip", { args }).outputSync().success;
  const seen = [];
  const look = (...args) => {
    const done = args.length === 0 || ip(...args);
    const hasChanged = () => links.changes()?.size !== 0;
    seen.push([done, hasChanged(), hasChanged()]);
  };
  links.changes();
  look();
  look("link", "add", "veth1", "type", "veth", "peer", "name", "veth2");
  const [a, b] = [links.find("veth1"), links.find("veth2")];
  look("link", "set", "veth1", "name", "veth3");
  look("link", "set", "veth2", "name", "veth1");
  look("link", "set", "veth3", "name", "veth2");
  seen.push([links.find("veth1") === b, links.find("veth2") === a]);
  look("link", "del", "veth1");
  seen.push([links.find("veth1") === undefined]);
  console.log(JSON.stringify(seen));
`;

const inOwnNetwork = onlyIf(hasOwnNetwork);

inOwnNetwork.test("InterfaceLinks.changes() tells each change of its own network once", async () => {
  const output = await denoOutput("eval --no-check", [CHANGES], { through: OWN_NETWORK });
  const noticed = [true, true, false];
  assertEquals(JSON.parse(output), [
    [true, false, false],
    noticed,
    noticed,
    noticed,
    noticed,
    [true, true],
    noticed,
    [true],
  ]);
});

onLinux.test("InterfaceLinks hands no socket on to a program", () => {
  // The name of each socket of this process, by its number; other tests open some, too.
  const open = () =>
    new Map(
      [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
        const link = attempt(() => Deno.readLinkSync(`/proc/self/fd/${name}`));
        return link?.startsWith("socket:") ? [[link, name] as const] : [];
      }),
    );
  const before = open();
  const links = new InterfaceLinks(new Netlink());
  const flags = [...open()].filter(([link]) => !before.has(link)).flatMap(([, name]) => {
    const text = attempt(() => Deno.readTextFileSync(`/proc/self/fdinfo/${name}`)) ?? "";
    const [, digits] = /^flags:\s+(\d+)$/m.exec(text) ?? [];
    return digits === undefined ? [] : [Number.parseInt(digits, 8)];
  });
  assertEquals(links.changes()?.size, 0);
  assert(flags.length >= 2, `${flags.length} sockets`);
  const closesOnExec = 0o2000000;
  assertEquals(flags.filter((it) => (it & closesOnExec) === 0), []);
});

onLinux.test("InterfaceLinks.counters() tells the counters of this machine's interfaces, and nothing of others", () => {
  const links = openInterfaceLinks("/proc/net/dev", new Netlink());
  assert(links !== undefined);
  const ofLo = () =>
    parseNetDev(Deno.readTextFileSync("/proc/net/dev")).find(({ name }) => name === "lo");
  const [before, now, after] = [ofLo(), links.counters(1), ofLo()];
  assert(before !== undefined && now !== undefined && after !== undefined);
  assert(before.receivedBytes <= now.receivedBytes && now.receivedBytes <= after.receivedBytes);
  assert(before.sentBytes <= now.sentBytes && now.sentBytes <= after.sentBytes);
  assertEquals(links.counters(2 ** 31 - 1), undefined);
  assert(links.counters(1) !== undefined);
});

/** The kernel's answer for an interface, in the layout of `RTM_NEWSTATS`. */
function answerOf(question: Uint32Array, receivedBytes: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(240));
  view.setUint32(0, 240, true);
  view.setUint16(4, 92, true);
  view.setUint32(8, question[2] ?? 0, true);
  view.setUint32(20, question[5] ?? 0, true);
  view.setBigUint64(48, receivedBytes, true);
  view.setBigUint64(56, 2n * receivedBytes, true);
  return new Uint8Array(view.buffer);
}

/** Netlink of a kernel that gives sockets, and does nothing else but what is given. */
function netlinkOf(calls: Partial<ConstructorParameters<typeof Netlink>[0]>): Netlink {
  let sockets = 2;
  const nothing = { bind: () => 0, close: () => 0, send: () => -1, recv: () => -1 };
  return new Netlink({ socket: () => ++sockets, ...nothing, ...calls });
}

/** A kernel whose answers wait until they are let go. */
class SlowKernel {
  readonly questions: Uint32Array[] = [];
  readonly answers: Uint8Array[] = [];
  isSlow = false;
  bytes = 0n;

  readonly netlink = netlinkOf({
    send: (_socket, question) => {
      assert(question instanceof Uint32Array);
      const words = question.slice();
      this.questions.push(words);
      if (!this.isSlow) this.answers.push(answerOf(words, this.bytes));
      return question.byteLength;
    },
    recv: (_socket, buffer) => {
      const answer = this.answers.shift();
      if (answer === undefined) return -1;
      bytesOf(buffer).set(answer);
      return answer.length;
    },
  });
  readonly links = new InterfaceLinks(this.netlink);
}

function bytesOf(buffer: AllowSharedBufferSource | null): Uint8Array {
  assert(buffer instanceof Uint8Array);
  return buffer;
}

Deno.test("Netlink.followLinks() leaves no socket open where the kernel tells of no changes", () => {
  const closed: number[] = [];
  const netlink = netlinkOf({ bind: () => -1, close: (socket) => closed.push(socket) });
  assertThrows(() => netlink.followLinks(), Error, "Cannot follow changes of interfaces");
  assertEquals(closed, [4], "the one for questions stays");
});

Deno.test("InterfaceLinks.changes() tells of which interfaces the kernel told, unless some were lost", () => {
  /** What the kernel has in its queue; -1 for an error, as when the queue was full. */
  const queue: (readonly [type: number, index: number] | -1)[] = [];
  const links = new InterfaceLinks(
    netlinkOf({
      recv(_socket, buffer, length) {
        const next = queue.shift() ?? -1;
        if (next === -1) return -1;
        const view = new DataView(bytesOf(buffer).buffer);
        view.setUint16(4, next[0], true);
        view.setInt32(20, next[1], true);
        return length;
      },
    }),
  );
  const changed = (...told: typeof queue) => {
    queue.push(...told);
    const changes = links.changes();
    assertEquals(queue, [], "all was read");
    return changes;
  };
  assertEquals(changed(), new Set<number>());
  assertEquals(changed([16, 7], [17, 8], [16, 7]), new Set([7, 8]));
  assertEquals(changed(), new Set<number>());
  assertEquals(changed(-1, [16, 7]), undefined);
  assertEquals(changed([16, 7], -1, [16, 9]), undefined);
  assertEquals(changed([2, 7]), undefined);
  assertEquals(changed(), new Set<number>());
});

Deno.test("InterfaceLinks.counters() passes over late answers, also to the same question, and takes its own", () => {
  const kernel = new SlowKernel();
  kernel.bytes = 2n ** 40n + 7n;
  assertEquals(kernel.links.counters(5), {
    receivedBytes: 2 ** 40 + 7,
    sentBytes: 2 * (2 ** 40 + 7),
  });
  // Answers to three questions come when they are not waited for any more.
  kernel.isSlow = true;
  for (const index of [5, 6, 5]) assertEquals(kernel.links.counters(index), undefined);
  kernel.answers.push(...kernel.questions.slice(1).map((question) => answerOf(question, 1n)));
  [kernel.isSlow, kernel.bytes] = [false, 9n];
  assertEquals(kernel.links.counters(5), { receivedBytes: 9, sentBytes: 18 });
  assertEquals(kernel.answers, [], "none is left for the next question");
});

Deno.test("InterfaceLinks.counters() takes no short answer, no error and none about another interface", () => {
  const kernel = new SlowKernel();
  kernel.isSlow = true;
  const whole = (question: Uint32Array) => answerOf(question, 3n);
  const answers: ((question: Uint32Array) => Uint8Array)[] = [
    (question) => whole(question).subarray(0, 63),
    (question) => {
      const error = whole(question);
      error[4] = 2;
      return error;
    },
    (question) => {
      const other = whole(question);
      other[20] = 6;
      return other;
    },
  ];
  const received = [...answers, whole].map((answer) => {
    const next = new Uint32Array(7);
    next.set([kernel.questions.length + 1], 2);
    next.set([5], 5);
    kernel.answers.push(answer(next));
    return kernel.links.counters(5)?.receivedBytes;
  });
  assertEquals(received, [undefined, undefined, undefined, 3]);
});

Deno.test("InterfaceLinks.counters() ends where answers never cease", () => {
  const kernel = new SlowKernel();
  kernel.isSlow = true;
  const late = answerOf(new Uint32Array(7), 1n);
  for (let count = 0; count < 100; count++) kernel.answers.push(late);
  assertEquals(kernel.links.counters(5), undefined);
  assert(kernel.answers.length > 50);
});

onLinux.test("InterfaceLinks.traits() tells that lo is a loopback, and nothing of what is not there", () => {
  const links = openInterfaceLinks("/proc/net/dev", new Netlink());
  const not = { hasDevice: false, isStacked: false, isBridgePort: false, isDeviceSlave: false };
  const lo = { name: "lo", index: 1, kind: undefined, isLoopback: true, ...not };
  assertEquals<unknown>(links?.traits(1), lo);
  assertEquals(links?.traits(2 ** 31 - 1), undefined);
});

Deno.test("InterfaceLinks.traits() tells what an interface is, and what it is part of", async () => {
  const link = (index: number, is: Partial<LinkMessage>): LinkMessage => {
    const software = { name: "x", flags: 0, kind: "veth", hasDevice: false };
    return { index, over: undefined, master: undefined, ...software, ...is };
  };
  const [card, bridge, bond] = [undefined, "bridge", "bond"].map((kind, at) => link(at, { kind }));
  await same((is: Partial<LinkMessage>) => {
    const netlink = netlinkOf({});
    netlink.link = (of) => of === 7 ? link(7, is) : [card, bridge, bond][Number(of)];
    const { name: _, index: __, ...traits } = new InterfaceLinks(netlink).traits(7) ?? {};
    return Object.fromEntries(Object.entries(traits).filter(([, value]) => value));
  }, [
    [{}, { kind: "veth" }],
    [{ kind: undefined, hasDevice: true }, { hasDevice: true }],
    [{ flags: 8, kind: undefined, hasDevice: true }, { isLoopback: true }],
    [{ over: 3 }, { kind: "veth", isStacked: true }],
    // A port of a switch, on a kernel that tells no kind of it.
    [{ over: 0, hasDevice: true }, { kind: "dsa", isStacked: true, hasDevice: true }],
    [{ master: 0 }, { kind: "veth", isDeviceSlave: true }],
    [{ master: 1 }, { kind: "veth", isBridgePort: true }],
    [{ master: 2 }, { kind: "veth" }],
  ]);
});
