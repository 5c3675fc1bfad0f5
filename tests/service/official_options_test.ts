import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { OfficialAgent } from "../../lib/service/official_agent.ts";
import { type ImportedSettings, importSettings } from "../../lib/service/official_options.ts";
import { same } from "../cases.ts";

function splitWords(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

/** What is imported of an agent with these arguments, where these files are. */
function imported(
  line: string,
  files: Record<string, string> = {},
  more: Partial<OfficialAgent> = {},
): ImportedSettings {
  const official = {
    ...{ manager: "systemd", scope: "system", serviceName: "komari-agent" } as const,
    unitPath: "/etc/systemd/system/komari-agent.service",
    binary: "/opt/komari/agent",
    args: splitWords(line),
    workingDirectory: "/opt/komari",
    handWritten: "",
  };
  return importSettings({ ...official, ...more }, (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Deno.errors.NotFound(path), { code: "ENOENT" });
    return text;
  });
}

const given = (line: string, files?: Record<string, string>) =>
  Object.fromEntries(imported(line, files).given);

Deno.test("importSettings() imports options that have a meaning here, and the file before the flags", () => {
  const line =
    "-e https://panel/ -t tok --month-rotate 5 --gpu -r 7 --autoUpdate --disable-web-ssh";
  const options = { endpoint: "https://panel/", token: "tok", month_rotate: "5" };
  assertEquals(imported(line), {
    given: new Map(Object.entries({ ...options, enable_gpu: "true" })),
    trafficPath: "/opt/komari/net_static.json",
    remoteControl: false,
    unread: "",
  });
  const files = { "/srv/agent/agent.json": '{"token": "file", "endpoint": ""}' };
  const place = { workingDirectory: "/srv/agent/" };
  const ofFile = imported("-e https://flag -t flag -i 1 --config agent.json", files, place);
  const expected = { endpoint: "https://flag", token: "file", interval: "1" };
  assertEquals(Object.fromEntries(ofFile.given), expected);
  const below = { "/agent.json": '{"token": "tok"}' };
  const rooted = imported("--config agent.json", below, { workingDirectory: "" });
  assertEquals([rooted.given.get("token"), rooted.trafficPath], ["tok", "/net_static.json"]);
});

Deno.test("importSettings() reads nothing where it can't read everything, and says why without values", async () => {
  const file = { "/etc/agent.json": '{"token": "secret5' };
  const unread = (line: string) => {
    const { given, remoteControl, unread } = imported(`-e https://panel -t secret1 ${line}`, file);
    assertEquals([given.size, remoteControl], [0, false]);
    return unread;
  };
  await same(unread, [
    ["--made-up secret2", "Cannot use flag --made-up: no such flag; --help lists them"],
    ["--config /gone", "Cannot read --config /gone: no such file"],
    [
      "--config /etc/agent.json",
      "Cannot use --config /etc/agent.json: invalid JSON at line 1, column 11",
    ],
  ]);
  const edited = imported("-e https://panel -t tok", {}, { handWritten: "$ARGS" });
  assertEquals([edited.given.size, edited.unread], [0, "it was edited by hand ($ARGS)"]);
  const word = fc.oneof(fc.constantFrom("-t", "--gpu", "--", "-", "--=", "-=x"), fc.string());
  fc.assert(fc.property(fc.array(word), (words) => void imported("", {}, { args: words })));
});

Deno.test("importSettings() takes no right of this agent's from a service of the official one", () => {
  const rights = given("-e https://panel --enable-remote-control --log-level debug");
  assertEquals(rights, { endpoint: "https://panel" });
});

Deno.test("importSettings() takes the token of a registered agent in place of its key", () => {
  const line = "-e https://panel --auto-discovery d1scovery-k3y";
  const at = (text: string) => given(line, { "/opt/komari/auto-discovery.json": text });
  const endpoint = "https://panel";
  assertEquals(at('{"uuid": "u", "token": "registered"}'), { endpoint, token: "registered" });
  for (const text of ["{}", "null", "[", '{"token": 5}', '{"token": "a b"}']) {
    assertEquals(at(text), { endpoint, auto_discovery_key: "d1scovery-k3y" }, text);
  }
  const file = { "/opt/komari/auto-discovery.json": '{"uuid": "u", "token": "registered"}' };
  assertEquals(given("-e https://panel", file), { endpoint }, "without a key it never looks there");
  assertEquals(given("-t tok --auto-discovery d1scovery-k3y"), { token: "tok" });
});

Deno.test("importSettings() leaves remote control on unless it is off there", async () => {
  const isOn = (value: string) => imported(`--disable-web-ssh=${value}`).remoteControl;
  await same(isOn, [["1", false], ["true", false], ["0", true], ["false", true]]);
  assertEquals(imported("").remoteControl, true);
});

Deno.test("importSettings() takes every option of the official agent that has a meaning here", () => {
  const values: Readonly<Record<string, string>> = {
    ...{
      endpoint: "https://panel.example",
      token: "tok",
      interval: "3",
      info_report_interval: "5",
    },
    ...{ reconnect_interval: "5", protocol_version: "2", disable_compression: "true" },
    ...{ prefer_ip_version: "4", ignore_unsafe_cert: "true", custom_dns: "1.1.1.1" },
    ...{ include_nics: "a", exclude_nics: "b", include_mountpoints: "/", month_rotate: "1" },
    ...{ memory_include_cache: "true", memory_report_raw_used: "true", enable_gpu: "true" },
    ...{ custom_ipv4: "192.0.2.1", custom_ipv6: "2001:db8::1", get_ip_addr_from_nic: "true" },
    ...{ disable_auto_update: "true", host_proc: "/host/proc" },
    ...{ cf_access_client_id: "id", cf_access_client_secret: "s3cret" },
  };
  const ignored = { max_retries: "3", memory_mode_available: "true", disable_web_ssh: "true" };
  const text = JSON.stringify({ ...values, ...ignored });
  assertEquals(given("--config /c", { "/c": text }), values);
});
