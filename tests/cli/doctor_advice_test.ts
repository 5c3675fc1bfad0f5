import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  answerAdvice,
  clockAdvice,
  clockDifference,
  connectAdvice,
  failureText,
  isLoopback,
  lookupAdvice,
  tlsAdvice,
  type Way,
} from "../../lib/cli/doctor_advice.ts";
import { translate } from "../../lib/cli/translate.ts";
import { DialError } from "../../lib/net/errors.ts";
import type { HttpResponse } from "../../lib/net/http_client.ts";
import { parseProxy } from "../../lib/parse/proxy.ts";
import { inContainerImage } from "./container_image.ts";

function wayTo(url: string, proxy?: string): Way {
  return { url: new URL(url), proxy: proxy === undefined ? undefined : parseProxy(proxy) };
}

Deno.test("isLoopback() knows the names and addresses of this machine", () => {
  for (const host of ["localhost", "::1", "127.0.0.1", "127.1.2.3"]) {
    assertEquals(isLoopback(host), true);
  }
  for (const host of ["127.example", "::2", "128.0.0.1", "localhost.example", "1127.0.0.1"]) {
    assertEquals(isLoopback(host), false, host);
  }
});

Deno.test("failureText() is a dial error's message alone, and any other error with its causes", () => {
  const cause = new Error("inner");
  assertEquals(failureText(new DialError("outer", { stage: "connect", cause })), "outer");
  assertEquals(failureText(new Error("outer", { cause })), "outer: inner");
});

Deno.test("lookupAdvice() and connectAdvice() are about the proxy where there is one", () => {
  const proxied = wayTo("https://p.example", "http://127.0.0.1:3128");
  const plain = wayTo("http://p.example", "http://127.0.0.1:3128");
  const names = "start the proxy, correct HTTPS_PROXY/ALL_PROXY, or reach the panel without it: " +
    "NO_PROXY=p.example";
  assertEquals(lookupAdvice(proxied), names);
  assertEquals(connectAdvice(new Error("connection refused"), proxied), names);
  assertEquals(lookupAdvice(plain), names.replace("HTTPS_", "HTTP_"));
  assertStringIncludes(lookupAdvice(wayTo("https://p.example")), "--custom-dns HOST asks another");
});

Deno.test("connectAdvice() goes by the cause, with the port of the address", () => {
  const table: [message: string, url: string, advice: string][] = [
    ["connection refused", "https://p.example", "nothing listens on port 443 there: start the"],
    ["connection refused", "http://p.example", "nothing listens on port 80 there: start the"],
    ["connection refused", "http://p.example:81", "correct the port in -e"],
    [
      "connection refused",
      "http://[::1]:81",
      "in -e; in a container this address is the container",
    ],
    ["network is unreachable", "http://p.example", "(ip route)"],
    ["no answer within 10 s", "http://p.example:81", "firewalls on the way let port 81 pass"],
  ];
  for (const [message, url, advice] of table) {
    const error = new DialError(`Cannot connect: ${message}`, { stage: "connect" });
    assertStringIncludes(connectAdvice(error, wayTo(url)), advice);
  }
  const other = new DialError("connection refused", { stage: "connect" });
  assertEquals(connectAdvice(other, wayTo("http://p.example")).includes("container"), false);
});

Deno.test("connectAdvice() goes by the answer of a proxy that opens no way", () => {
  const way = wayTo("https://p.example", "http://127.0.0.1:3128");
  const table: [message: string, advice: string][] = [
    ["status 407", "put the proxy's user and password into HTTPS_PROXY/ALL_PROXY"],
    ["the SOCKS proxy takes no user or password", "put the proxy's user and password"],
    ["status 403", "have the proxy allow p.example"],
    ["status 502", "the proxy can't reach p.example"],
    ["status 503", "the proxy can't reach p.example"],
    ["status 504", "the proxy can't reach p.example"],
    ["status 500", "a web server rather than a proxy"],
  ];
  for (const [message, advice] of table) {
    const error = new DialError(`Cannot use the proxy: ${message}`, { stage: "proxy" });
    assertStringIncludes(connectAdvice(error, way), advice, message);
  }
});

Deno.test("tlsAdvice() goes by the cause", () => {
  const table: [message: string, advice: string][] = [
    ["the server does not speak TLS", "if the panel has no TLS: -e http://p.example:444/x; else"],
    [
      "it is for another name",
      "use one of its names in -e, or give the panel a certificate for p.",
    ],
    ["it has expired", "set it (timedatectl set-ntp true)"],
    ["it is not valid yet", "set it (timedatectl set-ntp true)"],
    ["it is self-signed", "openssl s_client -connect p.example:444 </dev/null"],
    ["its issuer is unknown", "openssl s_client -connect p.example:444 </dev/null"],
    ["no answer within 10 s", "try a smaller MTU"],
    ["a fatal alert", "check the TLS settings of the panel"],
  ];
  for (const [message, advice] of table) {
    assertStringIncludes(tlsAdvice(message, wayTo("https://p.example:444/x/")), advice);
  }
  assertStringIncludes(tlsAdvice("self-signed", wayTo("https://p.example")), "p.example:443 ");
});

Deno.test("clockAdvice() names what sets a clock", () => {
  assertStringIncludes(clockAdvice(), "timedatectl set-ntp true");
});

Deno.test("in the container image advice is about the container", async () => {
  await inContainerImage(() => {
    assertStringIncludes(lookupAdvice(wayTo("https://p.example")), "--dns of docker run");
    assertStringIncludes(clockAdvice(), "the machine that runs the container");
    const refused = new DialError("connection refused", { stage: "connect" });
    assertStringIncludes(connectAdvice(refused, wayTo("http://127.0.0.1")), "--network host");
    assertStringIncludes(connectAdvice(refused, wayTo("http://p.example")), "nothing listens on");
  });
});

Deno.test("clockDifference() rounds to a unit that people use", () => {
  const table: [ms: number, en: string, zh: string][] = [
    [42_400, "42 s", "42 秒"],
    [-300_000, "300 s", "300 秒"],
    [15 * 60_000, "15 min", "15 分钟"],
    [-3 * 3_600_000, "3 h", "3 小时"],
    [400 * 86_400_000, "400 days", "400 天"],
  ];
  for (const [ms, en, zh] of table) {
    assertEquals(clockDifference(ms), en);
    assertEquals(
      translate(`${clockDifference(ms)} behind the panel's`, "zh"),
      `比面板慢 ${zh}`,
    );
  }
});

function responseOf(status: number, text = "", headers: Record<string, string> = {}): HttpResponse {
  return { status, text, headers: new Map(Object.entries(headers)) };
}

Deno.test("answerAdvice() goes by the status, and by the proxy that may have given it", () => {
  const panel = "check the address and its path in -e, and the proxy in front of the panel";
  const down = "the proxy in front of the panel works, and the panel behind it is down";
  const refuses = "a firewall in front of the panel refuses this: let /api/clients/ pass";
  const larger = "let the proxy in front of the panel take larger requests";
  const noProxy = "what HTTP_PROXY/ALL_PROXY names is a web server rather than a proxy";
  const table: [status: number, direct: string, proxied: string][] = [
    [200, panel, noProxy],
    [302, panel, noProxy],
    [403, refuses, refuses],
    [404, panel, noProxy],
    [405, refuses, noProxy],
    [413, larger, noProxy],
    [429, refuses, noProxy],
    [499, panel, noProxy],
    [500, panel, panel],
    [502, down, down],
    [503, down, down],
    [504, down, down],
  ];
  const way = wayTo("http://p.example");
  const proxied = wayTo("http://p.example", "http://127.0.0.1:3128");
  for (const [status, ofPanel, ofProxy] of table) {
    assertStringIncludes(answerAdvice(responseOf(status), way), ofPanel, String(status));
    assertStringIncludes(answerAdvice(responseOf(status), proxied), ofProxy, String(status));
  }
});

Deno.test("answerAdvice() names the address that a redirect of a call leads to", () => {
  const adviceOf = (status: number, location: string) =>
    answerAdvice(responseOf(status, "", { location }), wayTo("http://p.example/x"));
  const moved = "https://p.example/y/api/clients/v2/rpc";
  for (const [status, isMoved] of [[299, false], [300, true], [399, true], [400, false]] as const) {
    const expected = isMoved
      ? "the panel's address is another one: use -e https://p.example/y"
      : "check the address and its path in -e, and the proxy in front of the panel";
    assertEquals(adviceOf(status, moved), expected, String(status));
  }
  for (const location of ["/x/api/clients/v2/rpc", "https://[", "/login", ""]) {
    assertStringIncludes(adviceOf(302, location), "check the address", location);
  }
  const long = adviceOf(302, `https://p.example/${"z".repeat(300)}/api/clients/v2/rpc`);
  assertEquals(long.split("use -e ")[1]?.length, 200);
});

Deno.test("clockDifference() goes on to the next unit at two of it, and to minutes at ten", () => {
  const table: [seconds: number, text: string][] = [
    [0.4, "0 s"],
    [599, "599 s"],
    [600, "10 min"],
    [7_199, "120 min"],
    [7_200, "2 h"],
    [172_799, "48 h"],
    [172_800, "2 days"],
  ];
  for (const [seconds, text] of table) {
    assertEquals([clockDifference(seconds * 1000), clockDifference(-seconds * 1000)], [text, text]);
  }
});
