import { assertEquals, assertStringIncludes } from "@std/assert";
import {
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
