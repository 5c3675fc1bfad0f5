import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import type { InterfaceAddress } from "../../lib/host/host.ts";
import type { InterfaceStatus } from "../../lib/metrics/network.ts";
import {
  createGetText,
  type GetText,
  parseAddressAnswer,
  PublicAddresses,
  publicInterfaceAddress,
  queryServices,
} from "../../lib/metrics/public_addresses.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { cases, sameLater } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { assertDataEquals } from "./assert_data.ts";
import { configOf } from "./config_of.ts";

const NEVER = new AbortController().signal;
const DAY_MS = 24 * 60 * 60_000;

/** Addresses of interfaces: `eth0 8.8.8.8`. */
function addresses(...texts: string[]): InterfaceAddress[] {
  return texts.map((text) => {
    const [name = "", address = ""] = text.split(" ");
    return { name, address, family: address.includes(":") ? "IPv6" : "IPv4" };
  });
}

/** Waits until it is aborted. */
const hang: GetText = (_, { signal }) => {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
};

const [V4, V6] = ["https://v4.example/", "https://v6.example/"];
const BOTH = { [V4]: "9.9.9.9", [V6]: "2620:fe::9" };

class Machine {
  own = addresses("eth0 192.168.1.2");
  answers: Record<string, string> = BOTH;
  asked: string[] = [];
  readonly addresses: PublicAddresses;

  constructor(options: Partial<Config> = {}, getText?: GetText) {
    const config = { ...configOf(), ipServices: [V4, V6], ...options };
    this.addresses = new PublicAddresses(config, this, {
      getText: getText ?? ((url, { signal }) => {
        signal.throwIfAborted();
        this.asked.push(url);
        return Promise.resolve({ status: 200, text: this.answers[url] ?? "no idea" });
      }),
    });
  }

  interfaces(): InterfaceStatus[] {
    return [
      { name: "docker0", counted: false, rule: "virtual" },
      { name: "eth0", counted: true, rule: "has a device" },
    ];
  }

  interfaceAddresses(): InterfaceAddress[] {
    return this.own;
  }

  /** Both addresses, who told them, and how many questions that took. */
  async look(): Promise<[ipv4: string | undefined, ipv6: string | undefined, questions: number]> {
    this.asked = [];
    const { ipv4, ipv6 } = await this.addresses.lookup(NEVER);
    return [ipv4, ipv6, this.asked.length];
  }
}

/** Options, whether interfaces have public addresses, and what is found by how many questions, where. */
const LOOKUPS = cases(`
"customIpv4": "1.2.3.4", "customIpv6": "2606::1" | public
  → 1.2.3.4 2606::1 0: IPv4 from --custom-ipv4, IPv6 from --custom-ipv6
"customIpv6": "2606::1" | private → 9.9.9.9 2606::1 2: IPv4 from v4.example, IPv6 from --custom-ipv6
"addressesFromNic": true | public
  → 8.8.8.8 2620:fe::fe 0: IPv4 from interface eth0, IPv6 from interface eth0
"addressesFromNic": true | private
  → - - 0: IPv4 absent: no public address, IPv6 absent: no public address
"ipServices": "off" | public → - - 0: IPv4 absent: --ip-services off, IPv6 absent: --ip-services off
 | public → 9.9.9.9 2620:fe::9 4: IPv4 from v4.example, IPv6 from v6.example
 | private → 9.9.9.9 - 2: IPv4 from v4.example, IPv6 absent: no public address
`);

Deno.test("PublicAddresses.lookup() takes configured addresses, else those of interfaces, else of services", async () => {
  await sameLater(async (row) => {
    const [options, own] = row.split("|");
    const machine = new Machine(JSON.parse(`{${options}}`));
    const isPublic = own === " public";
    machine.own = isPublic ? addresses("docker0 9.9.9.9", "eth0 8.8.8.8", "eth0 2620:fe::fe") : [];
    assertEquals(machine.addresses.answeredBy, "not looked up yet");
    const found = (await machine.look()).map((it) => it ?? "-").join(" ");
    return `${found}: ${machine.addresses.answeredBy.replaceAll("no interface has a", "no")}`;
  }, LOOKUPS);
  const machine = new Machine();
  machine.interfaceAddresses = () => {
    throw new Error("not permitted");
  };
  assertEquals((await machine.look())[0], "9.9.9.9");
});

Deno.test("PublicAddresses.lookup() queries the default services, over HTTPS only", async () => {
  const machine = new Machine({ ipServices: "default" });
  machine.own = addresses("eth0 2620:fe::fe");
  assertEquals(await machine.look(), [undefined, undefined, 8]);
  assertEquals(machine.asked.every((url) => url.startsWith("https://")), true);
  // By address, where names are not resolved; and one within China.
  assertEquals(machine.asked.filter((url) => /1\.1\.1\.1|::1111|ipw\.cn/.test(url)).length, 4);
});

timed.test("PublicAddresses.lookup() queries again after a day, or when the machine's addresses change", async (time) => {
  const machine = new Machine();
  const asks = async () => (await machine.look())[2] > 0;
  assertEquals(await asks(), true);
  time.tick(DAY_MS - 1);
  assertEquals(await asks(), false);
  time.tick(1);
  assertEquals([await asks(), await asks()], [true, false]);
  machine.own = addresses("eth0 192.168.1.3");
  assertEquals(await asks(), true);
  const containers = addresses("veth1 fe80::1", "veth1 169.254.3.4", "lo ::1", "lo 127.0.0.53");
  machine.own = [...containers, ...addresses("eth1 10.0.0.5"), ...machine.own];
  assertEquals([await asks(), await asks()], [true, false]);
  machine.own = machine.own.slice(2).toReversed();
  assertEquals(await asks(), false, "neither those of containers nor the order matter");
  // Yesterday's answer is dropped when no service confirms it.
  machine.answers = {};
  time.tick(DAY_MS);
  assertEquals((await machine.look())[0], undefined);
});

timed.test("PublicAddresses.lookup() retries five minutes after a failure, for that family only", async (time) => {
  const machine = new Machine();
  machine.own = addresses("eth0 192.168.1.2", "eth0 2620:fe::fe");
  machine.answers = { [V4]: "9.9.9.9" };
  assertEquals((await machine.look()).slice(0, 2), ["9.9.9.9", undefined]);
  assertStringIncludes(machine.addresses.answeredBy, "IPv6 absent: no service answered");
  time.tick(5 * 60_000 - 1);
  assertEquals((await machine.look())[2], 0);
  time.tick(1);
  assertEquals((await machine.look())[2], 2);
  machine.answers = BOTH;
  time.tick(5 * 60_000);
  assertEquals((await machine.look()).slice(0, 2), ["9.9.9.9", "2620:fe::9"]);
});

timed.test("PublicAddresses.lookup() gives up on hanging services in time", async (time) => {
  const lookup = new Machine({}, hang).addresses.lookup(NEVER);
  assertEquals(await time.until(lookup, { withinMs: 6_000, stepMs: 500 }), 5_000);
  assertDataEquals(await lookup, {});
});

timed.test("PublicAddresses.lookup() ends at once when aborted, caches nothing, and asks nothing any more", async () => {
  for (const getText of [hang, undefined]) {
    const stop = new AbortController();
    const machine = new Machine(
      {},
      getText ?? (() => {
        stop.abort(new Error("stopped"));
        return Promise.reject(new Error("stopped"));
      }),
    );
    let looks = 0;
    machine.interfaceAddresses = () => (looks++, []);
    const lookup = machine.addresses.lookup(stop.signal);
    if (getText) stop.abort(new Error("stopped"));
    await assertRejects(() => lookup, Error, "stopped");
    assertEquals(machine.addresses.answeredBy.includes("IPv4"), false);
    await assertRejects(() => machine.addresses.lookup(stop.signal), Error, "stopped");
    assertEquals(looks, 1);
  }
});

Deno.test("publicInterfaceAddress() prefers what counts, takes none that is unusable, and temporary ones last", () => {
  const isCounted = (name: string) => name === "eth0";
  const rows = [
    ...[["eth0", "unusable"], ["eth0", "temporary"], ["br0", "usual"], ["eth0", "usual"]] as const,
  ];
  const all = rows.map(([name, preference], at) => {
    return { name, family: "IPv6" as const, address: `2620:fe::${at + 1}`, preference };
  });
  const found: (string | undefined)[] = [];
  for (let rest = all; rest.length > 0;) {
    const best = publicInterfaceAddress(rest, "IPv6", { isCounted })?.address;
    found.push(best?.at(-1));
    rest = best === undefined ? [] : rest.filter(({ address }) => address !== best);
  }
  assertEquals(found, ["4", "3", "2", undefined]);
  const own = addresses("eth0 192.168.1.2", "eth0 100.64.0.9", "eth0 169.254.1.1", "eth0 fd00::1");
  for (const family of ["IPv4", "IPv6"] as const) {
    assertEquals(publicInterfaceAddress(own, family, { isCounted }), undefined);
  }
});

Deno.test("parseAddressAnswer() reads any public address, alone or in the line of a trace, and nothing else", () => {
  assertEquals(parseAddressAnswer("2620:fe::fe\n", 6), "2620:fe::fe");
  const trace = "fl=12f3\nh=1.1.1.1\nip=9.9.9.9\nts=1.5\nvisit_scheme=https\ncolo=FRA\n";
  assertEquals(parseAddressAnswer(trace, 4), "9.9.9.9");
  assertEquals(parseAddressAnswer(trace.replaceAll("\n", "\r\n"), 4), "9.9.9.9");
  const bad = [
    ...["", "\n", "unknown", "<html>9.9.9.9</html>", '{"ip":"9.9.9.9"}', "9.9.9.9 8.8.8.8"],
    ...["2620:fe::fe", "ip=", "ip=10.1.1.1", "9.9.9.9:80", "9.9.9.9/32", "::ffff:9.9.9.9"],
    ...["ip=9.9.9.9;x", "Current IP: 9.9.9.9"],
  ];
  for (const text of bad) assertEquals(parseAddressAnswer(text, 4), undefined, text);
  for (const text of [trace, "fe80::1%eth0", "[2620:fe::fe]"]) {
    assertEquals(parseAddressAnswer(text, 6), undefined, text);
  }
});

/** The address that these services tell. */
async function query(urls: readonly string[], getText = createGetText({}), signal = NEVER) {
  return (await queryServices(urls, 4, { getText, signal }))?.address;
}

Deno.test("createGetText() resolves names as it is told", async () => {
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  await using server = Deno.serve(options, () => new Response("9.9.9.9"));
  const resolved: string[] = [];
  const lookUp = (host: string) => Promise.resolve((resolved.push(host), ["127.0.0.1"]));
  const get = createGetText({}, { system: new SystemResolver({ lookUp, lookUpHosts: lookUp }) });
  const url = `http://ip.example:${server.addr.port}/`;
  assertEquals([await query([url], get), resolved], ["9.9.9.9", ["ip.example"]]);
});

Deno.test("queryServices() skips invalid answers, errors, redirects and what is longer than 1,024 characters", async () => {
  const answers = [
    ...[{ status: 500, text: "9.9.9.9" }, { status: 302, text: "9.9.9.9" }],
    ...["<html>log in</html>", "10.0.0.1", "2620:fe::fe", "9.9.9.9".padEnd(1_025), ""]
      .map((text) => ({ status: 200, text })),
    { status: 200, text: "ip=8.8.4.4\n".padEnd(1_024) },
  ];
  const asked: string[] = [];
  const getText: GetText = (url) => {
    asked.push(url);
    const answer = answers[Number(url.split("/").at(-1))];
    return answer ? Promise.resolve(answer) : Promise.reject(new Error("refused"));
  };
  const urls = Array.from({ length: answers.length + 1 }, (_, at) => `https://x/${at - 1}`);
  assertEquals([await query(urls, getText), asked], ["8.8.4.4", urls]);
  assertEquals(await query(urls.slice(0, -1), getText), undefined);
});

Deno.test("queryServices() queries three at once, and aborts the others after the first valid answer", async () => {
  const stop = new AbortController();
  const asked: string[] = [];
  const urls = ["http://a/", "http://b/", "http://c/", "http://d/"];
  const aborted: string[] = [];
  const hanging: GetText = (url, options) => {
    asked.push(url);
    return hang(url, options).catch((error) => {
      aborted.push(url);
      throw error;
    });
  };
  const told = query(urls, hanging, stop.signal);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  stop.abort();
  assertEquals([await told, asked], [undefined, urls.slice(0, 3)]);
  const oneAnswers: GetText = (url, options) =>
    url === "http://c/" ? Promise.resolve({ status: 200, text: "9.9.9.9" }) : hanging(url, options);
  aborted.length = 0;
  assertEquals([await query(urls, oneAnswers), aborted], ["9.9.9.9", urls.slice(0, 2)]);
  // Another answer that comes in spite of the abort changes nothing.
  const late = Promise.withResolvers<{ status: number; text: string }>();
  const racing = (url: string) => {
    if (url.includes("late")) return late.promise;
    setTimeout(() => late.resolve({ status: 200, text: "8.8.8.8" }), 0);
    return Promise.resolve({ status: 200, text: "9.9.9.9" });
  };
  assertEquals(await query(["https://late.example", "https://a.example"], racing), "9.9.9.9");
});
