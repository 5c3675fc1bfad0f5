import { assertEquals, assertRejects } from "@std/assert";
import type { InterfaceAddress } from "../../lib/host/host.ts";
import { PublicAddresses, type PublicAddressOptions } from "../../lib/metrics/public_addresses.ts";

const NEVER = new AbortController().signal;
const DAY_MS = 24 * 60 * 60_000;

const PRIVATE: InterfaceAddress = { name: "eth0", family: "IPv4", address: "192.168.1.2" };
const IPV4: InterfaceAddress = { name: "eth0", family: "IPv4", address: "8.8.8.8" };
const IPV6: InterfaceAddress = { name: "eth0", family: "IPv6", address: "2620:fe::fe" };

class Machine {
  own: InterfaceAddress[] = [PRIVATE];
  nowMs = 0;
  answers: Record<string, string> = {};
  readonly asked: string[] = [];
  readonly addresses: PublicAddresses;

  constructor(options: Partial<PublicAddressOptions> = {}) {
    this.addresses = new PublicAddresses({
      services: ["https://v4.example/", "https://v6.example/"],
      interfaceAddresses: () => this.own,
      now: () => this.nowMs,
      fetch: (url, { signal }) => {
        signal?.throwIfAborted();
        this.asked.push(url);
        return Promise.resolve(new Response(this.answers[url] ?? "no idea"));
      },
      ...options,
    });
  }

  /** How many questions there have been since the last time. */
  async questions(): Promise<number> {
    const before = this.asked.length;
    await this.addresses.lookup(NEVER);
    return this.asked.length - before;
  }
}

const BOTH = { "https://v4.example/": "9.9.9.9", "https://v6.example/": "2620:fe::9" };

Deno.test("PublicAddresses.lookup() takes what is given and asks nobody", async () => {
  const machine = new Machine({ custom: { ipv4: "1.2.3.4", ipv6: "2606::1" } });
  assertEquals(machine.addresses.source, "not looked for yet");
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "1.2.3.4", ipv6: "2606::1" });
  assertEquals(machine.asked, []);
  assertEquals(
    machine.addresses.source,
    "IPv4 given by --custom-ipv4, IPv6 given by --custom-ipv6",
  );
});

Deno.test("PublicAddresses.lookup() asks for the family that is not given", async () => {
  const machine = new Machine({ custom: { ipv4: "", ipv6: "2606::1" } });
  machine.answers = BOTH;
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9", ipv6: "2606::1" });
});

Deno.test("PublicAddresses.lookup() asks for IPv6 only where an interface has a public one", async () => {
  const machine = new Machine();
  machine.answers = BOTH;
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9" });
  machine.own = [PRIVATE, IPV6];
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9", ipv6: "2620:fe::9" });
  assertEquals(machine.addresses.source, "IPv4 told by v4.example, IPv6 told by v6.example");
});

Deno.test("PublicAddresses.lookup() takes the interfaces' own and asks nobody when that is wanted", async () => {
  const machine = new Machine({ fromInterfaces: true });
  assertEquals(await machine.addresses.lookup(NEVER), {});
  machine.own = [PRIVATE, IPV4, IPV6];
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "8.8.8.8", ipv6: "2620:fe::fe" });
  assertEquals(machine.asked, []);
});

Deno.test("PublicAddresses.lookup() asks nobody when services are off", async () => {
  const machine = new Machine({ services: "off" });
  machine.own = [IPV4, IPV6];
  assertEquals(await machine.addresses.lookup(NEVER), {});
  assertEquals(machine.asked, []);
});

Deno.test("PublicAddresses.lookup() asks well-known services by default, over HTTPS alone", async () => {
  const machine = new Machine({ services: "default" });
  machine.own = [IPV6];
  assertEquals(await machine.addresses.lookup(NEVER), {});
  assertEquals(machine.asked.length, 12);
  assertEquals(machine.asked.filter((url) => !url.startsWith("https://")), []);
});

Deno.test("PublicAddresses.lookup() asks again after a day, or when the machine's addresses change", async () => {
  const machine = new Machine();
  machine.answers = BOTH;
  assertEquals(await machine.questions() > 0, true);
  machine.nowMs += DAY_MS - 1;
  assertEquals(await machine.questions(), 0);
  machine.nowMs += 1;
  assertEquals(await machine.questions() > 0, true);
  assertEquals(await machine.questions(), 0);
  machine.own = [{ ...PRIVATE, address: "192.168.1.3" }];
  assertEquals(await machine.questions() > 0, true);
  machine.own = [...machine.own, { name: "veth1", family: "IPv6", address: "fe80::1" }];
  assertEquals(await machine.questions(), 0);
});

Deno.test("PublicAddresses.lookup() asks again when the clock was set back", async () => {
  const machine = new Machine();
  machine.answers = BOTH;
  machine.nowMs = 10 * DAY_MS;
  await machine.questions();
  machine.nowMs = 0;
  assertEquals(await machine.questions() > 0, true);
});

Deno.test("PublicAddresses.lookup() tries again five minutes after nobody knew, for that family alone", async () => {
  const machine = new Machine();
  machine.own = [PRIVATE, IPV6];
  machine.answers = { "https://v4.example/": "9.9.9.9" };
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9" });
  assertEquals(machine.addresses.source.includes("IPv6 absent: no service answered"), true);
  machine.nowMs += 5 * 60_000 - 1;
  assertEquals(await machine.questions(), 0);
  machine.nowMs += 1;
  assertEquals(await machine.questions(), 2);
  machine.answers = BOTH;
  machine.nowMs += 5 * 60_000;
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9", ipv6: "2620:fe::9" });
});

Deno.test("PublicAddresses.lookup() drops an answer of yesterday that nobody confirms", async () => {
  const machine = new Machine();
  machine.answers = BOTH;
  await machine.addresses.lookup(NEVER);
  machine.answers = {};
  machine.nowMs += DAY_MS;
  assertEquals(await machine.addresses.lookup(NEVER), {});
});

Deno.test("PublicAddresses.lookup() gives up on mute services in time", async () => {
  const machine = new Machine({
    timeoutMs: 20,
    fetch: (_, { signal }) => {
      const { promise, reject } = Promise.withResolvers<Response>();
      signal?.addEventListener("abort", () => reject(signal.reason));
      return promise;
    },
  });
  // Timers of `AbortSignal.timeout` alone don't keep a process alive.
  const alive = setTimeout(() => {}, 60_000);
  assertEquals(await machine.addresses.lookup(NEVER), {});
  clearTimeout(alive);
});

Deno.test("PublicAddresses.lookup() rejects when it is aborted, and remembers nothing of it", async () => {
  const stop = new AbortController();
  const machine = new Machine({
    fetch: (_, { signal }) => {
      stop.abort(new Error("stopped"));
      return Promise.reject(signal?.reason);
    },
  });
  await assertRejects(() => machine.addresses.lookup(stop.signal), Error, "stopped");
  assertEquals(machine.addresses.source.includes("IPv4"), false);
});

Deno.test("PublicAddresses.lookup() asks for IPv4 where interfaces can't be listed", async () => {
  const machine = new Machine({
    interfaceAddresses: () => {
      throw new Error("not permitted");
    },
  });
  machine.answers = BOTH;
  assertEquals(await machine.addresses.lookup(NEVER), { ipv4: "9.9.9.9" });
});
