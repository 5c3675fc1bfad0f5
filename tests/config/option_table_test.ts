import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Command, COMMANDS } from "../../lib/config/commands.ts";
import { type Layer, type Option } from "../../lib/config/option.ts";
import { hasTag, OPTION_ROWS, OPTIONS, resolveOptions } from "../../lib/config/option_table.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { resolve } from "./resolved.ts";

/** The least and the largest value of each number, and one between that is refused if it is whole. */
const NUMBERS: readonly [flag: string, min: number, max: number, isWhole: boolean][] = [
  ["--reconnect-interval", 0.1, 86_400, false],
  ["--interval", 0.1, 3600, false],
  ["--info-report-interval", 0.1, 1440, false],
  ["--month-rotate", 0, 31, true],
  ["--exec-timeout", 0.01, 1440, false],
  ["--terminal-idle", 0, 1440, false],
  ["--port", 1, 65535, true],
];

Deno.test("OPTIONS take numbers up to their bounds and no further", () => {
  for (const [flag, min, max, isWhole] of NUMBERS) {
    const row = OPTION_ROWS.find((row) => `--${row.flag}` === flag);
    assert(row !== undefined, flag);
    const message = `${isWhole ? "a whole number" : "a number"} from ${min} to ${max}`;
    const refuses = (text: string) =>
      assertEquals(assertThrows(() => row.parse(text), RangeError).message, message, text);
    assertEquals([row.parse(`${min}`), row.parse(`${max}`)], [min, max]);
    if (min > 0) refuses(`${min - 0.001}`);
    for (const text of [`${max + (isWhole ? 1 : 0.001)}`, "", "-1", "1e1", "0x1", "1.", " 1"]) {
      refuses(text);
    }
    if (isWhole) refuses("1.5");
    else assertEquals(row.parse("1.5"), 1.5);
  }
});

Deno.test("OPTIONS of a few words take each of them, and name them in the help", () => {
  const choices: [flag: string, words: (string | number)[]][] = [
    ["transport", ["auto", "http"]],
    ["protocol-version", [1, 2]],
    ["token-in", ["auto", "query", "header"]],
    ["prefer-ip-version", [4, 6]],
    ["memory-mode", ["htop", "available", "all"]],
    ["log-level", ["debug", "info", "warning", "error"]],
    ["log-format", ["text", "json"]],
    ["lang", ["en", "zh"]],
  ];
  for (const [flag, words] of choices) {
    const row = OPTION_ROWS.find((row) => row.flag === flag);
    assertEquals(words.map((word) => row?.parse(`${word}`)), words);
    assertEquals(row?.placeholder, words.join("|"));
    const { message } = assertThrows(() => row?.parse("other"), RangeError);
    assertEquals(message, words.join(" or "));
  }
});

Deno.test("switches are on by themselves, and off by false or 0; some turn something off", () => {
  const switches = OPTION_ROWS.filter(({ placeholder }) => placeholder === undefined);
  const turningOff = ["disable-compression", "disable-auto-update"];
  assert(switches.length > 30);
  for (const { flag = "", parse } of switches) {
    const isOn = !turningOff.includes(flag);
    const values = ["true", "1", "false", "0"].map((text) => parse(text));
    assertEquals(values, [isOn, isOn, !isOn, !isOn], flag);
    assertThrows(() => parse("yes"), RangeError, "true, false, 1 or 0");
  }
});

Deno.test("OPTIONS keep secret what is one, and nothing of it is shown when it is wrong", () => {
  const secrets = OPTION_ROWS.filter(({ secret }) => secret).map(({ key }) => key);
  assertEquals(secrets, [
    "token",
    "panels",
    "auto_discovery_key",
    "headers",
    "cf_access_client_id",
    "cf_access_client_secret",
  ]);
});

/** Commands that take options; all that are not named refuse them on the command line. */
const COMMANDS_OF: readonly [flags: string, commands: readonly Command[]][] = [
  ["--up 1, --down 1", ["traffic set"]],
  ["--dry-run", ["report"]],
  ["--verbose", ["report", "doctor"]],
  ["--print", ["install", "uninstall"]],
  ["--as-root, --replace, --unset interval, --install-dir /opt/x", ["install"]],
  ["--restore, --keep-state", ["uninstall"]],
  ["--check, --now, --install-version 1.2.3", ["update"]],
  ["--port 1, --fault x", ["demo"]],
  [
    "--json",
    [
      ...["report", "traffic show", "traffic set", "status", "doctor", "config show"] as const,
      ...["health", "update", "version"] as const,
    ],
  ],
  [
    "--install-service-name x",
    [
      ...["install", "uninstall", "update", "status", "doctor", "config show"] as const,
      ...["health", "traffic show", "traffic set"] as const,
    ],
  ],
];

Deno.test("a flag that has no variable is taken by its commands alone", () => {
  const names = Object.keys(COMMANDS).filter((name) => name !== "help");
  for (const [flags, commands] of COMMANDS_OF) {
    for (const flag of flags.split(", ")) {
      for (const name of names) {
        const resolved = () =>
          resolve([...name.split(" "), ...flag.split(" ")], { readText: () => "{}" });
        if (commands.some((command) => command === name)) resolved();
        else assertThrows(resolved, UsageError, `flag ${flag.split(" ")[0]} here: it is`, flag);
      }
    }
  }
});

Deno.test("OPTIONS refuse texts that mean nothing to them, each by its own rule", () => {
  const table: [flag: string, wrong: string, allowed: string][] = [
    ["endpoint", "panel.example", "a URL such as https://panel.example"],
    ["token", "a b", "one token as the panel shows it"],
    ["auto-discovery", "short", "the panel's key"],
    ["custom-dns", "a b", "HOST or HOST:PORT"],
    ["header", "X", "Name: value"],
    ["cf-access-client-id", "\u00e4", "a value of plain ASCII"],
    ["cf-access-client-secret", "\u00e4", "a value of plain ASCII"],
    ["metrics", "x", "PORT or ADDRESS:PORT"],
    ["state-dir", "state", "a full path"],
    ["up", "x", "bytes"],
    ["down", "x", "bytes"],
    ["custom-ipv4", "::1", "an IPv4 address"],
    ["custom-ipv6", "1.2.3.4", "an IPv6 address"],
    ["ip-services", "x", "off, or URLs"],
    ["unset", "x", "names of options"],
    ["install-dir", "agent", "a full path of letters"],
    ["install-service-name", "a b", "letters, digits"],
    ["update-url", "https://u.example/?x", "a URL without ?"],
    ["update-key", "x", "an Ed25519 public key"],
    ["mirror", "x", "a URL such as"],
    ["install-version", "latest", "a version such as 1.2.3"],
    ["include-nics", "eth0\x00", "text without control characters"],
    ["token-file", "/a\nb", "text without control characters"],
    ["fault", "\x1b[2J", "text without control characters"],
  ];
  for (const [flag, wrong, allowed] of table) {
    const row = OPTION_ROWS.find((row) => row.flag === flag);
    assertThrows(() => row?.parse(wrong), RangeError, allowed, flag);
  }
});

Deno.test("resolveOptions() takes the strongest layer that has an option, and its default for null", () => {
  const { intervalSeconds } = OPTIONS;
  const layer = (name: string, text: string | null): Layer => ({
    texts: new Map<Option<unknown>, string | null>([[intervalSeconds, text]]),
    nameOf: () => ({ name, origin: `of ${name}` }),
  });
  const none: Layer = { texts: new Map(), nameOf: () => ({ name: "", origin: "" }) };
  const resolved = (...layers: Layer[]) => {
    const { values, found } = resolveOptions(layers);
    return [values.intervalSeconds, found.get(intervalSeconds)];
  };
  const found = { text: "2", name: "b", origin: "of b", rank: 1 };
  assertEquals(resolved(none, layer("b", "2"), layer("c", "3")), [2, found]);
  assertEquals(resolved(layer("a", null), layer("b", "2")), [undefined, undefined]);
  assertEquals(resolved(layer("a", ""), layer("b", "2")), [undefined, undefined]);
  assertThrows(() => resolved(layer("a", "x")), UsageError, 'Cannot use "x" for of a');
});

Deno.test("hasTag() knows as root's every option that names a file or a folder", () => {
  const keys = OPTION_ROWS.flatMap(({ key, placeholder = "" }) =>
    ["FILE", "FOLDER"].includes(placeholder) && key !== undefined ? [key] : []
  );
  assert(keys.length > 3);
  // The first two say where other options are, and only the agent itself looks into the third.
  const others = ["config_file", "token_file", "host_proc"];
  for (const key of keys) assert(others.includes(key) || hasTag(key, "root"), key);
});
