import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { proxiesFromEnvironment, runtimePaths, statePaths } from "../../lib/config/environment.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

Deno.test("runtimePaths() takes systemd's first folder, and the user's own below it", () => {
  const env = { RUNTIME_DIRECTORY: "/run/a:/run/b", XDG_RUNTIME_DIR: "/run/user/7/", TMPDIR: "/t" };
  const expected = { runtimeDir: "/run/a", userRuntimeDir: "/run/user/7/komari-agent-deno" };
  assertEquals(runtimePaths(env), expected);
  assertEquals(runtimePaths({ TMPDIR: "/t" }).userRuntimeDir, "/t/komari-agent-deno");
});

Deno.test("runtimePaths() has none where none is named by its full path", () => {
  const none = { runtimeDir: "", userRuntimeDir: "" };
  assertEquals(runtimePaths({}), none);
  assertEquals(runtimePaths({ RUNTIME_DIRECTORY: "a", XDG_RUNTIME_DIR: "b" }), none);
});

Deno.test("proxiesFromEnvironment() prefers small letters, and falls back to the proxy for all", () => {
  const env = { HTTP_PROXY: "http://big", http_proxy: "http://small", ALL_PROXY: "socks5://all" };
  assertEquals(proxiesFromEnvironment(env), { http: "http://small", https: "socks5://all" });
  const both = { HTTPS_PROXY: "socks5h://s:1", no_proxy: "a,b", NO_PROXY: "c" };
  assertEquals(proxiesFromEnvironment(both), { https: "socks5h://s:1", none: "a,b" });
  assertEquals(proxiesFromEnvironment({ HTTP_PROXY: "", ALL_PROXY: " " }), {});
});

Deno.test("proxiesFromEnvironment() takes a proxy without a scheme for an HTTP one", () => {
  const http = "u:p@proxy:3128";
  assertEquals(proxiesFromEnvironment({ http_proxy: http }), { http: `http://${http}` });
});

Deno.test("proxiesFromEnvironment() refuses other kinds of proxies, and what is none, without a password", () => {
  const others = ["https://me:s3cret@proxy", "socks4://me:s3cret@proxy", "ftp://me:s3cret@proxy"];
  for (const url of [...others, "http://me:s3cret@[::1", "http://me:s3cret@:80"]) {
    const { message } = assertThrows(() => proxiesFromEnvironment({ ALL_PROXY: url }), UsageError);
    assertStringIncludes(message, "variable ALL_PROXY");
    assertEquals(message.includes("socks5h://"), others.includes(url));
    assertEquals(message.includes("s3cret"), false, message);
  }
});

Deno.test("statePaths() takes the option before what systemd names, of whose list the first", () => {
  const env = { STATE_DIRECTORY: "/var/lib/a:/var/lib/b", HOME: "/home/me" };
  assertEquals(statePaths("/mine", env).stateDir, "/mine");
  assertEquals(statePaths("", env).stateDir, "/var/lib/a");
  assertEquals(statePaths("", {}), { stateDir: "", userStateDir: "" });
});

Deno.test("statePaths() finds the user's folder below XDG_STATE_HOME, else below the home", () => {
  const HOME = "/home/me";
  assertEquals(statePaths("", { HOME }).userStateDir, "/home/me/.local/state/komari-agent-deno");
  // Containers have that home where their user has none.
  assertEquals(statePaths("", { HOME: "/" }).userStateDir, "/.local/state/komari-agent-deno");
  assertEquals(statePaths("", { HOME, XDG_STATE_HOME: "/s" }).userStateDir, "/s/komari-agent-deno");
  // The specification wants relative ones left aside.
  const relative = { HOME, XDG_STATE_HOME: "s", STATE_DIRECTORY: "s" };
  const expected = { stateDir: "", userStateDir: "/home/me/.local/state/komari-agent-deno" };
  assertEquals(statePaths("", relative), expected);
});
