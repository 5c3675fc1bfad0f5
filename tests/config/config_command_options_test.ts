import { assertEquals, assertObjectMatch, assertThrows } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { resolve } from "./resolved.ts";

Deno.test("resolveConfig() names the commands that take an option when the given one does not", () => {
  const wrong: [args: string, subject: string][] = [
    ["--fault server-error", 'an option of "demo"'],
    ["install --port 8080", 'an option of "demo"'],
    ["traffic show --up 5", '"traffic set"'],
    ["--now", '"update"'],
    ["--as-root", '"install"'],
    ["uninstall --replace", '"install"'],
    ["update --install-dir /opt/x", '"install"'],
    ["install --restore", '"uninstall"'],
    ["--print", '"install", "uninstall"'],
    ["demo --install-service-name x", '"traffic set", "health"'],
  ];
  for (const [args, subject] of wrong) {
    assertThrows(() => resolve(args.split(" ")), UsageError, subject);
  }
});

Deno.test("resolveConfig() lets each command have its own", () => {
  const own: [args: string, values: Partial<Config>][] = [
    ["demo --fault help --port 1", { fault: "help", port: 1 }],
    [
      "traffic set --up 5 --down 6 --install-service-name x",
      { upBytes: 5, downBytes: 6, serviceName: "x" },
    ],
    ["update --now --install-service-name x", { now: true, check: false, serviceName: "x" }],
    [
      "install --as-root --replace --print --install-dir /opt/x --install-service-name x",
      { asRoot: true, replace: true, print: true, installDir: "/opt/x", serviceName: "x" },
    ],
    ["uninstall --restore --print", { restore: true, print: true }],
    ["--help --print", { help: true, print: true }],
  ];
  for (const [args, values] of own) assertObjectMatch({ ...resolve(args.split(" ")) }, values);
});

Deno.test("resolveConfig() refuses options that have no meaning together", () => {
  const key = "MCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  const wrong: [args: string, words: string][] = [
    ["uninstall --keep-state --restore", "Cannot use --keep-state and --restore together"],
    [`update --update-key ${key}`, "Cannot use --update-key without --update-url"],
  ];
  for (const [args, words] of wrong) {
    assertThrows(() => resolve(args.split(" ")), UsageError, words);
  }
});

Deno.test("resolveConfig() lets a panel have files only where it has remote control", () => {
  const of = (args: string) => {
    const { remoteControl, remoteFiles } = resolve(args.split(" "));
    return [remoteControl, remoteFiles];
  };
  assertEquals(of("--gpu"), [false, false]);
  assertEquals(of("--enable-remote-control"), [true, true]);
  assertEquals(of("--enable-remote-control --disable-remote-files"), [true, false]);
  assertEquals(of("--enable-remote-control --disable-web-ssh"), [false, false]);
});
