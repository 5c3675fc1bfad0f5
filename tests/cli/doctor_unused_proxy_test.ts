import { assertEquals } from "@std/assert";
import { failed, ok } from "../../lib/cli/checks.ts";
import { withUnusedProxy } from "../../lib/cli/doctor_unused_proxy.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import { startHttpProxy } from "../net/fake_proxies.ts";
import { configOf } from "./fake_context.ts";

const { signal } = new AbortController();

/** What is said of a link that has failed, where these variables are set. */
async function said(endpoint: string, env: Record<string, string>) {
  const way = wayTo(configOf(["doctor", "-e", endpoint, "-t", "x"], env), []);
  const link = Promise.resolve(failed("no answer", "see why"));
  const { text, advice } = await withUnusedProxy(way, link, signal);
  return [text, advice];
}

Deno.test("withUnusedProxy() tells a proxy by which the panel is reached, and that is not used for it", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using proxy = startHttpProxy({ port: listener.addr.port });
  const url = `http://127.0.0.1:${proxy.port}`;
  const leftOut = await said("https://p.example", {
    HTTPS_PROXY: url,
    NO_PROXY: "localhost, .example,10.0.0.0/8",
  });
  assertEquals(leftOut, [
    "no answer; through the proxy of HTTPS_PROXY it connects, which NO_PROXY leaves out for it",
    "take p.example out of NO_PROXY: NO_PROXY=localhost,10.0.0.0/8",
  ]);
  assertEquals(await said("http://p.example", { HTTPS_PROXY: url }), [
    "no answer; through the proxy of HTTPS_PROXY it connects, which is not for http://",
    "name that proxy in HTTP_PROXY, too: HTTP_PROXY=http://HOST:PORT",
  ]);
});

Deno.test("withUnusedProxy() leaves a link alone that is fine, goes by a proxy, or that no proxy mends", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const dead = `http://127.0.0.1:${port}`;
  const same = ["no answer", "see why"];
  assertEquals(await said("https://p.example", {}), same);
  assertEquals(await said("https://p.example", { HTTPS_PROXY: dead }), same);
  assertEquals(await said("https://p.example", { HTTPS_PROXY: dead, NO_PROXY: "*" }), same);
  const env = { HTTPS_PROXY: dead, NO_PROXY: "*" };
  const way = wayTo(configOf(["doctor", "-e", "https://p.example", "-t", "x"], env), []);
  assertEquals(await withUnusedProxy(way, Promise.resolve(ok("fine")), signal), ok("fine"));
});
