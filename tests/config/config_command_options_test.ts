import { assertEquals, assertThrows } from "@std/assert";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

const NOTHING = { env: {}, readText: () => "", readMode: () => undefined };

Deno.test("resolveConfig() names the commands that take an option when the given one does not", () => {
  const wrong: [args: string, subject: string][] = [
    ["--fault 502-html", 'only "demo" takes it'],
    ["install --port 8080", 'only "demo" takes it'],
    ["traffic show --up 5", '"traffic set"'],
    ["--now", '"update"'],
    ["--as-root", '"install"'],
    ["uninstall --replace", '"install"'],
    ["update --install-dir /opt/x", '"install"'],
    ["install --restore", '"uninstall"'],
    ["--print", '"install" and "uninstall"'],
    ["demo --install-service-name x", '"config show", "health" and "update" take it'],
  ];
  for (const [args, subject] of wrong) {
    assertThrows(() => resolveConfig({ ...NOTHING, args: args.split(" ") }), UsageError, subject);
  }
});

Deno.test("resolveConfig() lets each command have its own", () => {
  const own: [args: string, values: (config: Config) => unknown, expected: unknown][] = [
    ["demo --fault help --port 1", ({ fault, port }) => ({ fault, port }), {
      fault: "help",
      port: 1,
    }],
    [
      "traffic set --up 5 --down 6 --install-service-name x",
      ({ upBytes, downBytes, serviceName }) => [upBytes, downBytes, serviceName],
      [5, 6, "x"],
    ],
    [
      "update --now --install-service-name x",
      ({ now, check, serviceName }) => [now, check, serviceName],
      [true, false, "x"],
    ],
    [
      "install --as-root --replace --print --install-dir /opt/x --install-service-name x",
      ({ asRoot, replace, print, installDir, serviceName }) => {
        return { asRoot, replace, print, installDir, serviceName };
      },
      { asRoot: true, replace: true, print: true, installDir: "/opt/x", serviceName: "x" },
    ],
    [
      "uninstall --restore --print",
      ({ restore, print }) => ({ restore, print }),
      { restore: true, print: true },
    ],
    ["--help --print", ({ help, print }) => [help, print], [true, true]],
  ];
  for (const [args, values, expected] of own) {
    const config = resolveConfig({ ...NOTHING, args: args.split(" ") });
    assertEquals(values(config), expected, args);
  }
});

Deno.test("resolveConfig() refuses options that have no meaning together", () => {
  const key = "MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const wrong: [args: string, words: string][] = [
    ["uninstall --keep-state --restore", "Cannot use --keep-state and --restore together"],
    ["install --manager openrc", "Cannot use --manager but with --print"],
    ["install --manager openrc --print --replace", "Cannot use --manager but with --print"],
    [`update --update-key ${key}`, "Cannot use --update-key without --update-url"],
  ];
  for (const [args, words] of wrong) {
    assertThrows(() => resolveConfig({ ...NOTHING, args: args.split(" ") }), UsageError, words);
  }
});

Deno.test("resolveConfig() lets a panel have files only where it has remote control", () => {
  const of = (args: string) => {
    const { remoteControl, remoteFiles } = resolveConfig({ ...NOTHING, args: args.split(" ") });
    return [remoteControl, remoteFiles];
  };
  assertEquals(of("--gpu"), [false, false]);
  assertEquals(of("--enable-remote-control"), [true, true]);
  assertEquals(of("--enable-remote-control --disable-remote-files"), [true, false]);
  assertEquals(of("--enable-remote-control --disable-web-ssh"), [false, false]);
});
