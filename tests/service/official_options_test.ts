import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import type { OfficialAgent } from "../../lib/service/official_agent.ts";
import { importSettings, readOfficialFlags } from "../../lib/service/official_options.ts";

function official(args: string, more: Partial<OfficialAgent> = {}): OfficialAgent {
  const words = args.split(" ").filter((word) => word !== "");
  return {
    manager: "systemd",
    scope: "system",
    serviceName: "komari-agent",
    unitPath: "/etc/systemd/system/komari-agent.service",
    binary: "/opt/komari/agent",
    args: words,
    words: ["/opt/komari/agent", ...words],
    env: {},
    workingDirectory: "/opt/komari",
    user: "root",
    ...more,
  };
}

function from(files: Record<string, string>): (path: string) => string {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw new Deno.errors.NotFound(path);
    return text;
  };
}

Deno.test("importSettings() imports endpoint, token and options", () => {
  const taken = importSettings(
    official("-e https://panel/ -t tok --month-rotate 5 --gpu -r 7 --autoUpdate --disable-web-ssh"),
    from({}),
  );
  assertEquals(taken, {
    given: new Map([
      ["endpoint", "https://panel/"],
      ["token", "tok"],
      ["month_rotate", "5"],
      ["enable_gpu", "true"],
    ]),
    proxies: {},
    trafficPath: "/opt/komari/net_static.json",
    remoteControl: false,
    notes: [],
  });
});

Deno.test("importSettings() prefers the file over the environment over flags", () => {
  const taken = importSettings(
    official("-e https://flag -t flag -i 1 --config agent.json", {
      env: {
        AGENT_ENDPOINT: "https://variable",
        AGENT_TOKEN: "variable",
        HTTPS_PROXY: "http://p:1",
      },
      workingDirectory: "/srv/agent/",
    }),
    from({ "/srv/agent/agent.json": '{"token": "file", "gpu": true, "custom_dns": ""}' }),
  );
  assertEquals(
    taken.given,
    new Map([["endpoint", "https://variable"], ["token", "file"], ["interval", "1"]]),
  );
  assertEquals(taken.proxies, { HTTPS_PROXY: "http://p:1" });
  assertEquals(taken.notes, [
    "key gpu of /srv/agent/agent.json is ignored: the official agent has no such option",
  ]);
});

Deno.test("importSettings() reads the file that the environment names rather than the flag's", () => {
  const env = { AGENT_CONFIG_FILE: "/etc/variable.json" };
  const files = { "/etc/variable.json": '{"token": "one"}', "/etc/flag.json": '{"token": "two"}' };
  const taken = importSettings(
    official("-e https://p --config /etc/flag.json", { env }),
    from(files),
  );
  assertEquals([taken.given.get("token"), taken.notes], ["one", []]);
});

Deno.test("importSettings() imports the proxies of the service, in either case, and nothing like them", () => {
  const proxies = {
    HTTPS_PROXY: "http://p:1",
    https_proxy: "http://p:2",
    http_proxy: "http://p:3",
    all_proxy: "socks5://p:4",
    no_proxy: "localhost",
  };
  const env = { ...proxies, NO_PROXY: "", FTP_PROXY: "http://p:5", MY_HTTP_PROXY: "http://p:6" };
  assertEquals(importSettings(official("-e https://panel", { env }), from({})).proxies, proxies);
});

Deno.test("importSettings() notes ignored options without values", () => {
  const taken = importSettings(
    official("-e https://panel -t secret1 --made-up secret2 -i secret3 --custom-ipv4 secret4", {
      env: { AGENT_CONFIG_FILE: "/etc/agent.json" },
    }),
    from({ "/etc/agent.json": '{"token": "secret5' }),
  );
  const notes = taken.notes.join("\n");
  assertEquals(taken.notes.length, 4);
  for (const word of ["--made-up", "interval", "custom_ipv4", "/etc/agent.json"]) {
    assertStringIncludes(notes, word);
  }
  assertEquals(notes.includes("secret"), false);
  assertEquals([...taken.given.keys()], ["endpoint", "token"]);
});

Deno.test("importSettings() notes an unreadable file and continues", () => {
  const taken = importSettings(official("-e https://panel -t tok --config /gone"), from({}));
  assertEquals(taken.notes, ["/gone is ignored: it can't be read"]);
  assertEquals(taken.given.get("token"), "tok");
});

Deno.test("importSettings() uses the token of a registered agent", () => {
  const args = "-e https://panel --auto-discovery key";
  const file = { "/opt/komari/auto-discovery.json": '{"uuid": "u", "token": "registered"}' };
  const taken = importSettings(official(args), from(file));
  assertEquals(taken.given.get("token"), "registered");
  assertEquals(taken.given.has("auto_discovery_key"), false);
  // Without a key it never looks there.
  assertEquals(importSettings(official("-e https://panel"), from(file)).given.has("token"), false);
});

Deno.test("importSettings() keeps the key when the agent has not registered", () => {
  const args = "-e https://panel --auto-discovery d1scovery-k3y";
  for (const text of ["{}", "null", "[", '{"token": 5}', '{"token": "a b"}']) {
    const taken = importSettings(official(args), from({ "/opt/komari/auto-discovery.json": text }));
    assertEquals(taken.given.has("token"), false);
    assertEquals(taken.given.get("auto_discovery_key"), "d1scovery-k3y");
  }
});

Deno.test("importSettings() leaves remote control on unless it is off there, in any spelling", () => {
  const isOn = (value: string) =>
    importSettings(official("", { env: { AGENT_DISABLE_WEB_SSH: value } }), from({})).remoteControl;
  assertEquals(["1", "t", "T", "true", "True", "TRUE"].filter(isOn), []);
  assertEquals(["", "0", "f", "F", "false", "FALSE"].filter((value) => !isOn(value)), []);
});

Deno.test("importSettings() accepts the official spellings of booleans", () => {
  const env = { AGENT_DISABLE_WEB_SSH: "T", AGENT_ENABLE_GPU: "TRUE" };
  const taken = importSettings(official("--disable-auto-update=0", { env }), from({}));
  assertEquals(taken.remoteControl, false);
  assertEquals(Object.fromEntries(taken.given), { enable_gpu: "true", disable_auto_update: "0" });
});

Deno.test("importSettings() takes every option of the official agent that has a meaning here", () => {
  const values: Readonly<Record<string, string>> = {
    endpoint: "https://panel.example",
    token: "tok",
    interval: "3",
    info_report_interval: "5",
    reconnect_interval: "5",
    protocol_version: "2",
    disable_compression: "true",
    prefer_ip_version: "4",
    ignore_unsafe_cert: "true",
    custom_dns: "1.1.1.1",
    include_nics: "a",
    exclude_nics: "b",
    include_mountpoints: "/",
    month_rotate: "1",
    memory_include_cache: "true",
    memory_report_raw_used: "true",
    enable_gpu: "true",
    custom_ipv4: "192.0.2.1",
    custom_ipv6: "2001:db8::1",
    get_ip_addr_from_nic: "true",
    disable_auto_update: "true",
    host_proc: "/host/proc",
    cf_access_client_id: "id",
    cf_access_client_secret: "s3cret",
  };
  const ignored = { max_retries: "3", memory_mode_available: "true", disable_web_ssh: "true" };
  const text = JSON.stringify({ ...values, ...ignored });
  const taken = importSettings(official("--config /c"), from({ "/c": text }));
  const sorted = (of: Iterable<[string, string]>) => [...of].sort();
  assertEquals(sorted(taken.given), sorted(Object.entries(values)));
  assertEquals([taken.notes, taken.remoteControl], [[], false]);
  const key = { auto_discovery_key: "d1scovery-k3y" };
  const registering = importSettings(official("--config /c"), from({ "/c": JSON.stringify(key) }));
  assertEquals(Object.fromEntries(registering.given), key);
});

Deno.test("importSettings() finds files of a service without a folder below the root", () => {
  const agent = official("--config agent.json", { workingDirectory: "" });
  const taken = importSettings(agent, from({ "/agent.json": '{"token": "tok"}' }));
  assertEquals([taken.given.get("token"), taken.trafficPath], ["tok", "/net_static.json"]);
  const both = importSettings(official("-t tok --auto-discovery d1scovery-k3y"), from({}));
  assertEquals(Object.fromEntries(both.given), { token: "tok" }, "the key is not needed");
});

Deno.test("readOfficialFlags() reads values as the official agent does", () => {
  const { values, unknown } = readOfficialFlags([
    ..."-e=https://x -t -dash -i1.5 --gpu --month-rotate=5 -u=false --include-nics a,b".split(" "),
    ..."--show-warning --custom-ipv4 192.0.2.1".split(" "),
  ]);
  assertEquals(Object.fromEntries(values), {
    endpoint: "https://x",
    token: "-dash",
    interval: "1.5",
    enable_gpu: "true",
    month_rotate: "5",
    ignore_unsafe_cert: "false",
    include_nics: "a,b",
    custom_ipv4: "192.0.2.1",
  });
  assertEquals(unknown, []);
});

Deno.test("readOfficialFlags() skips unknown flags with their values", () => {
  const { values, unknown } = readOfficialFlags(
    "--enable-remote-control --what secret --how=x -z y word - --gpu -- -t z".split(" "),
  );
  assertEquals(Object.fromEntries(values), { enable_gpu: "true" });
  assertEquals(unknown, ["--enable-remote-control", "--what", "--how", "-z"]);
});

Deno.test("readOfficialFlags() accepts any words", () => {
  const word = fc.oneof(fc.constantFrom("-t", "--gpu", "--", "-", "--=", "-=x"), fc.string());
  fc.assert(fc.property(fc.array(word), (words) => {
    readOfficialFlags(words);
  }));
});
