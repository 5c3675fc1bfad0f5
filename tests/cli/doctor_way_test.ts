import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  endpointPlace,
  given,
  usualAddresses,
  wayTo,
  withDoubts,
  withoutProxy,
} from "../../lib/cli/doctor_way.ts";
import { failed, result } from "../../lib/cli/checks.ts";
import type { Config } from "../../lib/config/config.ts";
import { configOf } from "./fake_context.ts";
import { checkConnection, deadAddressAdvice } from "../../lib/cli/doctor_connection.ts";
import { replaced } from "../replaced.ts";
import { inFolder } from "../temp_folder.ts";

const { signal } = new AbortController();

Deno.test("wayTo() connects to the addresses that were found, and resolves no name again", async () => {
  using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = server.addr;
  // Nothing listens there, so that a name server can't be asked.
  for (const args of [[], ["--custom-dns", "127.0.0.1:1"]]) {
    const url = `http://panel.invalid:${port}`;
    const way = wayTo(configOf(["doctor", "-e", url, "-t", "x", ...args]), []);
    way.addresses = ["127.0.0.1"];
    const { connection } = await way.dialer.connect(way.url, { signal });
    assertEquals(connection.remoteAddr.port, port);
    connection.close();
  }
});

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

Deno.test("withDoubts() begins with lost packets where an answer does not come", async () => {
  const way = wayTo(configOf(["doctor", "-e", "http://192.0.2.7", "-t", "x"]), []);
  const answer = { ...result("failed", "no answer within 5 s", "one"), kind: "no_answer" } as const;
  const late = Promise.resolve(answer);
  for (const [lost, lines] of [[2, 2], [0, 1], [undefined, 1]] as const) {
    way.pings = Promise.resolve(lost);
    const { advice, causes = [advice] } = await withDoubts(way, late);
    assertEquals(causes.length, lines);
    assertEquals(
      causes[0]?.startsWith("2 of 5 pings are lost, too: see where") ?? false,
      lost === 2,
    );
  }
});

Deno.test("withDoubts() puts doubts about the addresses first where a link has failed", async () => {
  const way = wayTo(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), []);
  const failed = result("failed", "text", "advice");
  assertEquals(await withDoubts(way, Promise.resolve(failed)), failed);
  way.doubts = ["doubt"];
  const doubted = await withDoubts(way, Promise.resolve(failed));
  assertEquals(doubted, { status: "failed", text: "text", causes: ["doubt", "advice"] });
  const fine = result("ok", "text");
  assertEquals(await withDoubts(way, Promise.resolve(fine)), fine);
});

Deno.test("given() changes what a variable of the unit sets there, where it wins", () => {
  const origins = new Map([["include_nics", "variable AGENT_INCLUDE_NICS"]]);
  const config = { ...configOf(["doctor"]), isConfigInstalled: true, origins };
  const unit = [{ name: "Environment", value: "AGENT_INCLUDE_NICS= AGENT_LANG=", file: "/x.conf" }];
  for (const option of ["--include-nics NAMES", "--unset include-nics"]) {
    const words = "change AGENT_INCLUDE_NICS in /x.conf, and then: systemctl daemon-reload";
    assertStringIncludes(given({ config, unit }, option), words);
    assertEquals(given({ config }, option), `komari-agent-deno install ${option}`);
  }
  assertStringIncludes(given({ config, unit }, "--lang zh"), "install --lang zh");
});

Deno.test("given() is the command by which an installed service gets an option", () => {
  const base = configOf(["doctor", "-e", "http://p.example", "-t", "x"], { NO_PROXY: "a, b" });
  const url = new URL(base.endpoint);
  const of = (more: Partial<Config>) => {
    const config = { ...base, ...more };
    return [given({ config }, "--custom-dns ADDRESS"), withoutProxy({ config, url })];
  };
  assertEquals(of({}), ["--custom-dns ADDRESS", "NO_PROXY=a,b,p.example"]);
  assertEquals(of({ isConfigInstalled: true, proxies: {} }), [
    "komari-agent-deno install --custom-dns ADDRESS",
    "NO_PROXY=p.example komari-agent-deno install",
  ]);
  assertEquals(
    of({ isConfigInstalled: true, serviceName: "two" })[0],
    [
      "komari-agent-deno install --install-service-name two --custom-dns ADDRESS",
    ][0],
  );
});

inFolder.test("withDoubts() begins with a variable of the unit that wins over the configuration", async (folder) => {
  const configPath = `${folder.path}/config.json`;
  const file = "/etc/systemd/system/x.service.d/y.conf";
  const unit = [{ name: "Environment", value: "AGENT_ENDPOINT=", file }];
  const of = async (endpoint: string) => {
    Deno.writeTextFileSync(configPath, JSON.stringify({ endpoint }));
    const config = configOf(["doctor"], { AGENT_ENDPOINT: "http://old.example", AGENT_TOKEN: "x" });
    const way = wayTo({ ...config, configPath, isConfigInstalled: true }, unit);
    return await withDoubts(way, Promise.resolve(failed("refused", "look")));
  };
  const [first, second] = (await of("http://p.example")).causes ?? [];
  const words = `remove AGENT_ENDPOINT from ${file}, which wins over http://p.ex`;
  assertStringIncludes(first ?? "", words);
  assertEquals(second, "look");
  assertEquals((await of("http://old.example")).advice, "look");
});

Deno.test("endpointPlace() is where the panel's address was read", () => {
  const file = "/etc/systemd/system/x.service.d/y.conf";
  const unit = [{ name: "Environment", value: "AGENT_ENDPOINT=", file }];
  const env = { AGENT_ENDPOINT: "http://p.example", AGENT_TOKEN: "x" };
  const flags = wayTo(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), unit);
  assertEquals(endpointPlace(flags), "-e");
  assertEquals(endpointPlace(wayTo(configOf(["doctor"], env), [])), "variable AGENT_ENDPOINT");
  assertEquals(endpointPlace(wayTo(configOf(["doctor"], env), unit)), `AGENT_ENDPOINT in ${file}`);
  const installed = { ...configOf(["doctor"], env), isConfigInstalled: true };
  assertEquals(
    endpointPlace(wayTo(installed, unit)),
    `AGENT_ENDPOINT in ${file} (and then: systemctl daemon-reload && systemctl restart ` +
      "komari-agent-deno)",
  );
});
