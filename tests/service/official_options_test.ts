import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { OfficialAgent } from "../../lib/service/official_agent.ts";
import {
  type ImportedSettings,
  importSettings,
  readOfficialFlags,
} from "../../lib/service/official_options.ts";
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
    if (text === undefined) throw new Deno.errors.NotFound(path);
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
    notes: [],
  });
  const files = { "/srv/agent/agent.json": '{"token": "file", "gpu": true, "custom_dns": ""}' };
  const place = { workingDirectory: "/srv/agent/" };
  const ofFile = imported("-e https://flag -t flag -i 1 --config agent.json", files, place);
  const expected = { endpoint: "https://flag", token: "file", interval: "1" };
  assertEquals(Object.fromEntries(ofFile.given), expected);
  assertEquals(ofFile.notes, [
    "key gpu of /srv/agent/agent.json is ignored: the official agent has no such option",
  ]);
  const below = { "/agent.json": '{"token": "tok"}' };
  const rooted = imported("--config agent.json", below, { workingDirectory: "" });
  assertEquals([rooted.given.get("token"), rooted.trafficPath], ["tok", "/net_static.json"]);
});

Deno.test("importSettings() notes what it ignores, without values", () => {
  const line = "-e https://panel -t secret1 --made-up secret2 -i secret3 --custom-ipv4 secret4 " +
    "--config /etc/agent.json";
  const { notes, given } = imported(line, { "/etc/agent.json": '{"token": "secret5' });
  assertEquals(notes.map((note) => note.replace(/ is ignored.*/, "")), [
    "--made-up",
    "/etc/agent.json",
    "interval",
    "custom_ipv4",
  ]);
  assertEquals(notes.join().includes("secret"), false);
  assertEquals([...given.keys()], ["endpoint", "token"]);
  assertEquals(imported("--config /gone").notes, ["/gone is ignored: it can't be read"]);
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

Deno.test("readOfficialFlags() reads values as the official agent does, and skips what it does not know", async () => {
  const read = (line: string) => {
    const { values, unknown } = readOfficialFlags(splitWords(line));
    return { ...Object.fromEntries(values), unknown: unknown.join(" ") };
  };
  await same(read, [
    ["-e=https://x -t -dash -i1.5 --month-rotate=5 -u=false --include-nics a,b", {
      ...{ endpoint: "https://x", token: "-dash", interval: "1.5", month_rotate: "5" },
      ...{ ignore_unsafe_cert: "false", include_nics: "a,b", unknown: "" },
    }],
    ["--gpu --show-warning --custom-ipv4 192.0.2.1", {
      ...{ enable_gpu: "true", custom_ipv4: "192.0.2.1", unknown: "" },
    }],
    ["--enable-remote-control --what secret --how=x -z y word - --gpu -- -t z", {
      ...{ enable_gpu: "true", unknown: "--enable-remote-control --what --how -z" },
    }],
  ]);
  const word = fc.oneof(fc.constantFrom("-t", "--gpu", "--", "-", "--=", "-=x"), fc.string());
  fc.assert(fc.property(fc.array(word), (words) => void readOfficialFlags(words)));
});
