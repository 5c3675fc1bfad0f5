import { assertEquals, assertStringIncludes } from "@std/assert";
import { usualAddresses, wayTo } from "../../lib/cli/doctor_way.ts";
import { configOf } from "./fake_context.ts";
import { checkConnection, deadAddressAdvice } from "../../lib/cli/doctor_connection.ts";
import { fakeConnect, realConnect } from "../net/fake_connect.ts";
import { replaced } from "../replaced.ts";

const { signal } = new AbortController();

Deno.test("checkConnection() names an address that is tried first and does not connect", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  const way = wayTo(configOf(["doctor", "-e", `http://panel.invalid:${port}`, "-t", "x"]), []);
  way.addresses = ["127.0.0.2", "127.0.0.1"];
  const found = await checkConnection(way, signal);
  assertEquals(found.status, "warning");
  assertEquals(
    found.text,
    `connected to 127.0.0.1 port ${port}; 127.0.0.2, which is tried first, does not connect: ` +
      "connection refused",
  );
  assertEquals(found.causes?.[0], "see whether it answers at all: ping -c 3 127.0.0.2");
  way.addresses = ["127.0.0.1", "127.0.0.2"];
  const second = await checkConnection(way, signal);
  assertStringIncludes(second.text, "127.0.0.2, another address of the name, does not connect");
  way.addresses = ["127.0.0.1"];
  assertEquals((await checkConnection(way, signal)).status, "ok");
});

Deno.test("checkConnection() takes no dead address for a finding that is tried after a preferred family", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  const of = async (...options: string[]) => {
    const endpoint = `http://panel.invalid:${port}`;
    const way = wayTo(configOf(["doctor", "-e", endpoint, "-t", "x", ...options]), []);
    way.addresses = ["127.0.0.1", "::1"];
    const { status, text } = await checkConnection(way, signal);
    return [status, text.includes("::1, another address of the name, does not connect")];
  };
  assertEquals(await of(), ["warning", true]);
  assertEquals(await of("--prefer-ip-version", "4"), ["ok", true]);
});

Deno.test("checkConnection() names the dead gateway of one family beside an address of the other one", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `http://panel.invalid:${server.addr.port}`;
  const way = wayTo(configOf(["doctor", "-e", endpoint, "-t", "x"]), []);
  way.addresses = ["2001:db8::7", "127.0.0.1"];
  using _connect = fakeConnect((options) => {
    if (options.hostname === "127.0.0.1") return realConnect(options);
    return Promise.reject(Object.assign(new Error(), { code: "EHOSTUNREACH" }));
  });
  const { status, text, causes = [] } = await checkConnection(way, signal, () => ({
    ...{ device: "eth0", hasCarrier: true, isSilent: true },
    ...{ gateway: "fe80::1", network: undefined, source: "2001:db8::5" },
  }));
  assertEquals(status, "warning");
  const words =
    "does not connect: host is unreachable; the gateway fe80::1 of eth0 does not answer";
  assertStringIncludes(text, words);
  assertStringIncludes(causes[0] ?? "", "see whether fe80::1 is the gateway of that network");
  assertStringIncludes(causes.at(-2) ?? "", "--prefer-ip-version 4");
});

Deno.test("deadAddressAdvice() doubts this machine's own IPv6, unless that has brought a refusal", () => {
  const way = wayTo(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), []);
  const options = { way, hostname: "192.0.2.7", port: 443 };
  const of = (reason: string) => deadAddressAdvice("2001:db8::7", { ...options, reason });
  const starts = (reason: string) => of(reason).map((line) => line.slice(0, 30));
  const rest = ["until it is repaired, try the ", "if 2001:db8::7 is another mach"];
  assertEquals(starts("no answer within 2 s"), ["see whether this machine's own", ...rest]);
  assertEquals(starts("connection refused"), ["have the panel's server listen", ...rest]);
  assertStringIncludes(of("")[1] ?? "", "--prefer-ip-version 4");
  const [there] = deadAddressAdvice("2001:db8::7", { ...options, reason: "", isPinged: true });
  assertStringIncludes(there ?? "", "whether its firewall lets port 443 pass");
});

Deno.test("checkConnection() names a usual port that is open where the panel's refuses", async () => {
  using panel = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = panel.addr;
  const config = configOf(["doctor", "-e", "http://127.0.0.1:1", "-t", "x"]);
  const { text, causes = [] } = await checkConnection(wayTo(config, [], [port]), signal);
  assertStringIncludes(text, `connection refused; it connects for http://127.0.0.1:${port}`);
  assertEquals(causes.join().includes(`:${port}`), false, "nothing answers there");
  assertEquals(usualAddresses(wayTo(config, [])), [
    { port: 443, address: "https://127.0.0.1" },
    { port: 80, address: "http://127.0.0.1" },
    { port: 25774, address: "http://127.0.0.1:25774" },
  ]);
});

Deno.test("checkConnection() takes one slow connection among fast ones for no finding", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  const way = wayTo(configOf(["doctor", "-e", `http://127.0.0.1:${port}`, "-t", "x"]), []);
  const times = [0, 1_001];
  using _now = replaced(performance, { now: () => times.shift() ?? 1_001 });
  const found = await checkConnection(way, signal);
  const expected = ["ok", `connected to 127.0.0.1 port ${port}, after 1.0 s`];
  assertEquals([found.status, found.text], expected);
});
