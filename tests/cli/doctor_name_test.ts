import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { answererOf, checkName, filterAdvice, lateAnswer } from "../../lib/cli/doctor_name.ts";
import { searchedName } from "../../lib/cli/doctor_name_doubts.ts";
import { slowAdvice, unresolvedAdvice } from "../../lib/cli/doctor_name_advice.ts";
import { answerText, askEach, readSources } from "../../lib/cli/doctor_name_servers.ts";
import { lostInStub, unresolved } from "../../lib/cli/doctor_unresolved_name.ts";
import { type Way, wayTo as wayOf } from "../../lib/cli/doctor_way.ts";
import { Connector } from "../../lib/net/connector.ts";
import { RUNTIME_NAMES } from "../../lib/net/dns.ts";
import { replaced } from "../replaced.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { TestNameServer } from "../net/fake_name_server.ts";
import { adviceText } from "./advice_text.ts";
import { inContainerImage } from "./container_image.ts";
import { configOf } from "./fake_context.ts";
import { restoring } from "../restoring.ts";

const { signal } = new AbortController();

function wayTo(url: string, ...args: readonly string[]): Way {
  return wayOf(configOf(["doctor", "-e", url, "-t", "x", ...args]), []);
}

/** Runs with these files alone; one without text may not be read. */
async function withFiles<T>(
  files: Readonly<Record<string, string | undefined>>,
  run: () => Promise<T>,
): Promise<T> {
  using _readTextFile = restoring(Deno, "readTextFile");
  Deno.readTextFile = (path) => {
    const text = files[String(path)];
    if (text !== undefined) return Promise.resolve(text);
    const { PermissionDenied, NotFound } = Deno.errors;
    return Promise.reject(String(path) in files ? new PermissionDenied() : new NotFound());
  };
  return await run();
}

Deno.test("checkName() names the file that keeps a name from being resolved", async () => {
  const table: [files: Record<string, string | undefined>, text: string, advice: string][] = [
    [
      { "/etc/resolv.conf": undefined },
      "this user may not read /etc/resolv.conf, which names the name servers",
      "chmod a+r /etc/resolv.conf",
    ],
    [
      { "/etc/resolv.conf": "search x\nnameserver 192.0.2.1,192.0.2.2\n" },
      "line 2 of /etc/resolv.conf names a server by no address: 192.0.2.1,192.0.2.2",
      "one address on each line",
    ],
    [
      { "/etc/resolv.conf": "nameserver dns.google" },
      "line 1 of /etc/resolv.conf names a server by no address: dns.google",
      "one address on each line",
    ],
    [
      { "/etc/resolv.conf": "# by hand\nnameserver: 192.0.2.1\n" },
      "line 2 of /etc/resolv.conf begins with no word that the system knows: nameserver: 192.0.2.1",
      "name a server so: nameserver ADDRESS",
    ],
    [
      { "/etc/resolv.conf": "search x\n" },
      "Cannot resolve panel.invalid: /etc/resolv.conf names no name server",
      "name one: echo nameserver ADDRESS >>/etc/resolv.conf",
    ],
    [
      {},
      "Cannot resolve panel.invalid: there is no /etc/resolv.conf",
      "start the service that writes it",
    ],
    [
      {
        "/etc/resolv.conf": "nameserver 127.0.0.53\n",
        "/run/systemd/resolve/resolv.conf": "search x\n",
      },
      "Cannot resolve panel.invalid: systemd-resolved has no name server",
      "give it one: DNS=ADDRESS in /etc/systemd/resolved.conf",
    ],
    [
      {
        "/etc/nsswitch.conf": "hosts: dns [NOTFOUND=return]\n",
        "/etc/hosts": "127.0.0.1 localhost\n192.0.2.7 panel.invalid\n",
      },
      'line 2 of /etc/hosts has it, and /etc/nsswitch.conf has "hosts: dns", so that file is not read',
      "add files to that line",
    ],
  ];
  for (const [files, text, advice] of table) {
    // systemd-resolved listens where its file is.
    using _ = replaced(Deno, { connect: () => Promise.resolve({ close() {} }) as never });
    const found = await withFiles(files, () => checkName(wayTo("http://panel.invalid"), signal));
    assertEquals(found.status, "failed");
    assertStringIncludes(found.text, text);
    assertStringIncludes(adviceText(found), advice);
  }
});

Deno.test("checkName() does not wait as long for the system where no server answers", async () => {
  using _system = replaced(RUNTIME_NAMES, { lookUp: () => new Promise<never>(() => {}) });
  const files = { "/etc/resolv.conf": "nameserver 127.0.93.9\n" };
  using time = new FakeTime();
  const startedAtMs = performance.now();
  const checking = withFiles(files, () => checkName(wayTo("http://panel.test"), signal));
  await time.until(checking, { withinMs: 60_000, stepMs: 100 });
  const tookMs = performance.now() - startedAtMs;
  assertEquals((await checking).status, "failed");
  assertEquals(tookMs >= 4_000 && tookMs < 6_000, true, `${tookMs}`);
});

Deno.test("checkName() names where a link to name servers leads", async () => {
  const target = "../run/systemd/resolve/stub-resolv.conf";
  using _ = replaced(Deno, { readLinkSync: () => target });
  for (
    const [files, text] of [
      [{}, `link to ${target}, which is not there`],
      [{ "/etc/resolv.conf": "" }, `link to ${target}, which names no name server`],
    ] as const
  ) {
    const found = await withFiles(files, () => checkName(wayTo("http://panel.invalid"), signal));
    assertStringIncludes(found.text, text);
    const [start, replace] = found.causes ?? [];
    assertEquals(/^start (systemd-resolved|the service that writes)/.test(start ?? ""), true);
    assertStringIncludes(replace ?? "", "rm /etc/resolv.conf && echo nameserver ADDRESS >");
  }
});

Deno.test("filterAdvice() is about the record where servers of the public answer", () => {
  const record = /^see whether its record is that .* answers in place of 8\.8\.8\.8, 1\.1\.1\.1$/;
  assertMatch(filterAdvice("panel.test", "8.8.8.8, 1.1.1.1"), record);
  for (const asked of ["8.8.8.8, 10.0.0.1", "the system", "127.0.0.1 port 53, of --custom-dns"]) {
    assertMatch(filterAdvice("panel.test", asked), /^allow panel\.test in the filter of /);
  }
});

Deno.test("checkName() names the setting of the unit that takes /etc/resolv.conf away", async () => {
  const unit = [{ name: "InaccessiblePaths", value: "-/etc/resolv.conf", file: "/x.conf" }];
  const way = { ...wayTo("http://panel.invalid"), unit };
  const found = await withFiles({ "/etc/resolv.conf": undefined }, () => checkName(way, signal));
  assertStringIncludes(found.advice ?? "", "remove InaccessiblePaths=-/etc/resolv.conf in /x.conf");
});

Deno.test("checkName() names an unreadable /etc/hosts where no server has the name", async () => {
  await using server = await TestNameServer.start({});
  const way = wayTo("http://panel.test", "--custom-dns", `127.0.0.1:${server.port}`);
  const found = await withFiles({ "/etc/hosts": undefined }, () => checkName(way, signal));
  assertStringIncludes(found.text, "; this user may not read /etc/hosts");
  assertStringIncludes(found.causes?.[0] ?? "", "chmod a+r /etc/hosts");
  const readable = await withFiles({ "/etc/hosts": "" }, () => checkName(way, signal));
  assertEquals(readable.text.includes("may not read"), false);
});

Deno.test("checkName() knows networks from which forged answers take addresses", async () => {
  const of = async (A: string, AAAA?: string) => {
    const zone = { "panel.test": { A: [A], ...AAAA !== undefined && { AAAA: [AAAA] } } };
    await using server = await TestNameServer.start(zone);
    const way = wayTo("http://panel.test", "--custom-dns", `127.0.0.1:${server.port}`);
    const { text } = await withFiles({}, () => checkName(way, signal));
    return [text.includes("from which forged answers"), way.doubts.length];
  };
  assertEquals(await of("31.13.94.37"), [true, 2]);
  assertEquals(await of("162.125.2.6", "2001::1"), [true, 2]);
  assertEquals(await of("31.13.94.37", "2001:db8::1"), [false, 0], "another address is none");
  assertEquals(await of("192.0.2.7"), [false, 0]);
});

Deno.test("checkName() keeps what a name server says against /etc/hosts for links that fail", async () => {
  await using server = await TestNameServer.start({ "panel.test": { A: ["192.0.2.80"] } });
  for (
    const [address, doubts] of [["192.0.2.3", 1], ["192.0.2.80", 0], ["127.0.0.1", 0]] as const
  ) {
    const way = wayTo("http://panel.test", "--custom-dns", `127.0.0.1:${server.port}`);
    const hosts = `127.0.0.1 localhost\n${address} panel.test\n`;
    const found = await withFiles({ "/etc/hosts": hosts }, () => checkName(way, signal));
    assertEquals([found.status, way.doubts.length], ["ok", doubts], address);
    if (doubts === 0) continue;
    assertEquals(
      way.doubts[0],
      "correct or remove line 2 of /etc/hosts, if panel.test is not at 192.0.2.3: 127.0.0.1 answers " +
        "192.0.2.80",
    );
  }
});

Deno.test("checkName() names a name server of the configuration that the system's own know better than", async () => {
  await using server = await TestNameServer.start({});
  const key = "key custom_dns of /etc/x/config.json";
  for (const isConfigInstalled of [true, false]) {
    const way = wayTo("http://localhost.localdomain", "--custom-dns", `127.0.0.1:${server.port}`);
    const origins = new Map([["custom_dns", key]]);
    const config = { ...way.config, isConfigInstalled, origins };
    using _system = replaced(RUNTIME_NAMES, { lookUp: () => Promise.resolve(["192.0.2.80"]) });
    const found = await withFiles({}, () => checkName({ ...way, config }, signal));
    assertEquals(found.status, "failed");
    assertStringIncludes(found.text, `of ${key}: 127.0.0.1: NXDOMAIN`);
    assertStringIncludes(found.text, "the system's own name servers give 192.0.2.80");
    const system = isConfigInstalled ? "install --unset custom-dns" : "without --custom-dns";
    const words = `name another server in ${key}, or take the system's: `;
    assertStringIncludes(found.advice ?? "", words);
    assertStringIncludes(found.advice ?? "", system);
  }
});

Deno.test("checkName() knows the addresses that a proxy gives for any name", async () => {
  await using server = await TestNameServer.start({ "panel.test": { A: ["198.18.0.23"] } });
  const way = wayTo("http://panel.test", "--custom-dns", `127.0.0.1:${server.port}`);
  const { status, text } = await withFiles({}, () => checkName(way, signal));
  assertEquals([status, way.doubts.length], ["ok", 2], "it works where the proxy runs");
  assertStringIncludes(text, "as proxies such as Clash give for any name (fake-IP)");
  assertStringIncludes(way.doubts[0] ?? "", "start the proxy that has given this address");
});

Deno.test("checkName() keeps what a name server says against the system's own answer", async () => {
  const zone = { "localhost.localdomain": { A: ["192.0.2.80", "192.0.2.81"] } };
  await using server = await TestNameServer.start(zone);
  for (const [address, doubts] of [["192.0.2.7", 1], ["192.0.2.80", 0]] as const) {
    const way = wayTo("http://localhost.localdomain");
    const { lookUp } = Connector.prototype;
    Connector.prototype.lookUp = () => Promise.resolve([address]);
    try {
      // The only server that is asked is the tests' own.
      const asked = {
        ...way,
        config: { ...way.config, nameServer: { host: "127.0.0.1", port: server.port } },
      };
      await withFiles({}, () => checkName(asked, signal));
      assertEquals(asked.doubts.length, doubts, address);
      if (doubts > 0) assertStringIncludes(asked.doubts[0] ?? "", "127.0.0.1 answers 192.0.2.80");
    } finally {
      Connector.prototype.lookUp = lookUp;
    }
  }
});

Deno.test("answererOf() is the server that has answered where another one has not", () => {
  const dead = { server: "192.0.2.1", code: "no answer within 1.5 s", ms: 1, addresses: [] };
  const alive = { server: "192.0.2.2", code: "NOERROR", ms: 1, addresses: ["192.0.2.9"] };
  assertEquals(answererOf([dead, alive]), "192.0.2.2");
  for (const answers of [[], [alive], [dead]]) assertEquals(answererOf(answers), undefined);
});

Deno.test("slowAdvice() asks of a server without an answer whether packets are lost, or it is slow", async () => {
  const way = wayTo("http://p.example");
  const sources = await withFiles({}, () => readSources(way));
  const of = (code: string) =>
    slowAdvice([{ server: "192.0.2.1", code, ms: 1, addresses: [] }], { way, sources })
      .map((look) => /: (\S+)/.exec(look)?.[1]);
  assertEquals(of("no answer by UDP, and TCP is open"), ["ping", "dig", "--custom-dns"]);
  assertEquals(of("NOERROR"), ["time", "--custom-dns"]);
  const late = { server: "192.0.2.1", code: "NOERROR", ms: 3_000, addresses: [] };
  assertStringIncludes(slowAdvice([late], { way, sources })[0] ?? "", "192.0.2.1 itself is slow");
});

Deno.test("askEach() tells a server that is silent on IPv6, and one to which packets are lost", async () => {
  const zone = { "panel.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] } };
  const ask = async (
    options: Parameters<typeof TestNameServer.start>[1],
    known: typeof zone | { "panel.test": { A: string[] } } = zone,
  ) => {
    await using server = await TestNameServer.start(known, options);
    const way = wayTo("http://panel.test", "--custom-dns", `127.0.0.1:${server.port}`);
    const sources = await withFiles({}, () => readSources(way));
    using time = new FakeTime();
    const asking = askEach("panel.test", sources, { signal });
    // What it answers is read before its time is over.
    while (server.questions.length < 6) await realTurn();
    for (let turns = 0; turns < 20; turns++) await realTurn();
    await time.run(1_500);
    const answers = await asking;
    const [answer] = answers;
    return {
      addresses: answer?.addresses,
      text: answer && answerText(answer).replace(/\d+ ms/, "1 ms"),
      advice: slowAdvice(answers, { way, sources }),
      looks: [undefined, 0, 2].map((lostPings) => slowAdvice(answers, { way, sources, lostPings })),
    };
  };
  const both = await ask({});
  assertEquals(both.addresses, ["192.0.2.1", "2001:db8::1"]);
  assertEquals(both.text, "127.0.0.1: NOERROR (1 ms)");
  const ipv4 = await ask({ mute: ["AAAA"] });
  assertStringIncludes(ipv4.text ?? "", "(1 ms), and no answer to questions for IPv6 (AAAA)");
  assertStringIncludes(ipv4.advice[0] ?? "", "have 127.0.0.1 answer to AAAA");
  assertStringIncludes(ipv4.looks[2]?.join() ?? "", "see where packets are lost: mtr", "by chance");
  const none = await ask({ mute: ["A"] }, { "panel.test": { A: ["192.0.2.1"] } });
  assertEquals(none.text, "127.0.0.1: no answer to questions for IPv4 (A)", "it may have one");
  const lossy = await ask({ loses: 2 });
  assertStringIncludes(lossy.text ?? "", "and no answer to 3 of 6 questions");
  const looks = lossy.looks.map((lines) => lines.map((line) => /: (\S+)/.exec(line)?.[1]));
  const expected = [["ping", "dig", "--custom-dns"], ["dig", "--custom-dns"], ["mtr"]];
  assertEquals(looks, expected);
});

Deno.test("searchedName() knows an address that a search domain has brought", async () => {
  await using server = await TestNameServer.start({
    "panel.test.lan.example": { A: ["192.0.2.3"] },
  });
  const resolv = "nameserver 192.0.2.1\nsearch other.example lan.example\noptions ndots:9 rotate\n";
  const system = await withFiles(
    { "/etc/resolv.conf": resolv },
    () => readSources(wayTo("http://x")),
  );
  assertEquals(system.options, "ndots:9 rotate");
  const way = wayTo("http://panel.test", "--custom-dns", `127.0.0.1:${server.port}`);
  const own = await withFiles({}, () => readSources(way));
  const sources = { ...own, search: system.search ?? [] };
  const answers = await askEach("panel.test", sources, { signal, times: 1 });
  for (
    const [address, name] of [["192.0.2.3", "panel.test.lan.example"], ["192.0.2.4", undefined]]
  ) {
    way.addresses = [address ?? ""];
    assertEquals(await searchedName(answers, { way, sources, signal }), name);
  }
});

Deno.test("readSources() asks systemd-resolved's servers only where it runs", async () => {
  const refused = () => Promise.reject(new Deno.errors.ConnectionRefused());
  const sourcesOf = async (files: Record<string, string>) => {
    const { servers, file, stub } = await withFiles(
      files,
      () => readSources(wayTo("http://p.example")),
    );
    return [file, ...servers.map(({ host }) => host), ...stub === undefined ? [] : ["stub"]];
  };
  const stub = { "/etc/resolv.conf": "nameserver 127.0.0.53\n" };
  assertEquals(await sourcesOf(stub), ["/etc/resolv.conf", "127.0.0.53"]);
  const above = { "/run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\n" };
  const connecting = { listening: () => Promise.resolve({ close() {} }) as never, refused };
  const all = { ...stub, ...above };
  for (const connect of Object.values(connecting)) {
    using _ = replaced(Deno, { connect });
    assertEquals(
      await sourcesOf(all),
      connect === refused
        ? ["/etc/resolv.conf", "127.0.0.53"]
        : ["the settings of systemd-resolved (resolvectl dns)", "192.0.2.1", "stub"],
      "what a stopped one has left is not its own",
    );
  }
  const written = { "/etc/resolv.conf": "# Generated by NetworkManager\nnameserver 192.0.2.1\n" };
  const [file] = await sourcesOf(written);
  assertEquals(file, "/etc/resolv.conf, which NetworkManager writes");
  await inContainerImage(async () => {
    const [file] = await sourcesOf(written);
    assertEquals(file, "/etc/resolv.conf, which the container's runtime (--dns) writes");
  });
  const mixed = { "/etc/resolv.conf": "nameserver 192.0.2.1;\nnameserver fe80::1%eth0\n" };
  assertEquals(await sourcesOf(mixed), ["/etc/resolv.conf", "fe80::1%eth0"]);
});

Deno.test("unresolvedAdvice() names a server that does not answer before one that does", async () => {
  const way = wayTo("http://p.example");
  const sources = await withFiles({}, () => readSources(way));
  const of = (...answers: [server: string, code: string][]) =>
    unresolvedAdvice(
      answers.map(([server, code]) => ({ server, code, ms: 1, addresses: [] })),
      { host: "p.example", way, sources: { ...sources, file: "/etc/resolv.conf" } },
    );
  const [dead, ...others] = of(["192.0.2.1", "no answer within 1.5 s"], ["192.0.2.2", "NOERROR"]);
  assertEquals(others, []);
  assertStringIncludes(dead ?? "", "192.0.2.1 does not answer, and is asked before the others");
  const [unknowing] = of(["192.0.2.1", "NXDOMAIN"], ["192.0.2.2", "NOERROR"]);
  assertStringIncludes(unknowing ?? "", "put 192.0.2.2 before it in /etc/resolv.conf");
  const correct = of(["192.0.2.1", "NXDOMAIN"], ["192.0.2.2", "no answer within 1.5 s"]);
  assertStringIncludes(correct[0] ?? "", "correct the name in -e", "the first has answered");
  const [options] = unresolvedAdvice(
    [{ server: "192.0.2.1", code: "NOERROR", ms: 1, addresses: ["192.0.2.7"] }],
    { host: "p.example", way, sources: { ...sources, options: "use-vc" } },
  );
  assertStringIncludes(options ?? "", 'without a word of "options use-vc" in /etc/resolv.conf');
  const half = { code: "no answer to questions for IPv4 (A)", lost: { lost: 3, all: 6 } };
  const [lossy] = unresolvedAdvice(
    [{ server: "192.0.2.1", ...half, ms: 1, addresses: [] }],
    { host: "p.example", way, sources },
  );
  assertStringIncludes(lossy ?? "", "packets to 192.0.2.1 are lost on the way", "it is up");
  const [udp] = of(["192.0.2.1", "no answer by UDP, and TCP is open"]);
  assertStringIncludes(udp ?? "", "drops UDP port 53");
  const silent = { server: "192.0.2.1", code: "no answer within 1.5 s", ms: 1, addresses: [] };
  for (
    const [isUp, end] of [[true, "it is no name server"], [false, "no name server is there: ping"]]
  ) {
    const ofLine = { ...sources, file: "/etc/resolv.conf", line: 3 };
    const all = { host: "p.example", way, sources: ofLine, isUp: isUp === true };
    const [line] = unresolvedAdvice([silent], all);
    assertStringIncludes(
      line ?? "",
      `correct its address in line 3 of /etc/resolv.conf, if ${end}`,
    );
  }
  const [look, ...more] = of(["192.0.2.1", "REFUSED"]);
  assertStringIncludes(look ?? "", "see whether it answers about other names: dig @192.0.2.1");
  assertEquals(more, [], "it says nothing of that name");
  const refused = "no answer by UDP, and TCP is refused";
  for (const [isThere, stub] of [[true, "start systemd-resolved"], [false, "is not installed"]]) {
    using _resolved = replaced(Deno, {
      statSync: () => {
        if (isThere) return Deno.lstatSync("/");
        throw new Deno.errors.NotFound();
      },
    });
    assertStringIncludes(of(["127.0.0.53", refused]).join(), String(stub));
  }
  const causes = of(["192.0.2.1", refused]);
  assertStringIncludes(causes[0] ?? "", "start the name server at 192.0.2.1");
  assertStringIncludes(causes[1] ?? "", "dig +time=15 @192.0.2.1 p.example");
});

Deno.test("lostInStub() tells a systemd-resolved that does not give what its servers know", async () => {
  await using stub = await TestNameServer.start({});
  await using silent = await TestNameServer.start({}, { mute: ["A", "AAAA"] });
  const way = wayTo("http://p.example");
  const known = { server: "192.0.2.1", code: "NOERROR", ms: 1, addresses: ["192.0.2.7"] };
  const of = async (port: number | undefined, answers = [known]) => {
    const sources = await withFiles({}, () => readSources(way));
    const there = port === undefined ? undefined : { host: "127.0.0.1", port };
    return await lostInStub(answers, { way, sources: { ...sources, stub: there }, signal });
  };
  const refused = await of(stub.port);
  assertStringIncludes(refused?.text ?? "", "systemd-resolved: 127.0.0.1: NXDOMAIN");
  assertStringIncludes(refused?.text ?? "", "; of those that it asks: 192.0.2.1: NOERROR (1 ms)");
  assertStringIncludes(refused?.advice ?? "", "resolvectl query p.example");
  assertStringIncludes((await of(silent.port))?.advice ?? "", "systemctl restart systemd-resolved");
  assertEquals([await of(undefined), await of(stub.port, [])], [undefined, undefined]);
});

Deno.test("unresolved() names a fourth name server, which the system does not ask", async () => {
  const way = wayTo("http://p.example");
  const of = async (count: number, args: readonly string[] = []) => {
    const hosts = Array.from({ length: count }, (_, at) => `192.0.2.${at + 1}`);
    const resolv = hosts.map((host) => `nameserver ${host}\n`).join("");
    const asked = wayTo("http://p.example", ...args);
    const sources = await withFiles({ "/etc/resolv.conf": resolv }, () => readSources(asked));
    const answers = hosts.slice(0, 3).map((server) => ({
      ...{ server, code: "NXDOMAIN", addresses: [], ms: 1 },
    }));
    const found = await unresolved("Cannot resolve", { way: asked, sources, answers, signal });
    return found.causes?.[0] ?? "";
  };
  const correct = `correct the name in -e, if it is not ${way.url.hostname}`;
  assertEquals(await of(3), correct);
  assertEquals(
    await of(4),
    "put 192.0.2.4, if it answers, among the first three of /etc/resolv.conf: the system reads no others",
  );
  assertEquals(await of(4, ["--custom-dns", "192.0.2.9"]), correct, "it is not the system's");
});

Deno.test("lateAnswer() goes on with the address of a server behind one that does not answer", async () => {
  const way = wayTo("http://p.example");
  const sources = {
    ...await withFiles({}, () => readSources(way)),
    file: "/etc/resolv.conf",
  };
  const answer = (server: string, code: string, ...addresses: string[]) => ({
    ...{ server, code, addresses, ms: 1 },
  });
  const dead = answer("192.0.2.1", "no answer within 1.5 s");
  const known = answer("192.0.2.2", "NOERROR", "192.0.2.7");
  for (const answers of [[dead], [known, dead], [dead, answer("192.0.2.2", "NXDOMAIN")], []]) {
    assertEquals(lateAnswer(answers, { way, sources }), undefined);
  }
  const late = lateAnswer([known], { way, sources, isLate: true });
  assertEquals([late?.status, way.addresses], ["warning", ["192.0.2.7"]]);
  const { status, text, advice } = lateAnswer([dead, known], { way, sources }) ?? {};
  assertEquals([status, way.addresses, way.answeredBy], [
    ...["warning", ["192.0.2.7"], "address from 192.0.2.2"],
  ]);
  assertStringIncludes(text ?? "", "p.example is 192.0.2.7, answered by 192.0.2.2, and the system");
  assertStringIncludes(advice ?? "", "192.0.2.1 does not answer, and is asked before the others");
});

Deno.test("checkName() says of a proxy's name that it is the proxy's, and which variable has it", async () => {
  await using server = await TestNameServer.start({});
  const args = ["doctor", "-e", "http://panel.test", "-t", "x", "--custom-dns"];
  const env = { HTTP_PROXY: "http://prxy.test:3128" };
  const way = wayOf(configOf([...args, `127.0.0.1:${server.port}`], env), []);
  const found = await withFiles({}, () => checkName(way, signal));
  assertStringIncludes(found.text, "Cannot resolve the proxy prxy.test: asked 127.0.0.1");
  const words = "correct the proxy's name in HTTP_PROXY/ALL_PROXY, if it is not prxy.test";
  assertStringIncludes(found.causes?.[0] ?? "", words);
});
