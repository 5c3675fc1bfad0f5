import { assertEquals, assertThrows } from "@std/assert";
import { type Config, resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

const NOTHING = { env: {}, readText: () => "", readMode: () => undefined };

Deno.test("refuseOptionsOfOthers() names what an option is about, where it would do nothing", () => {
  const wrong: [args: string, subject: string][] = [
    ["--fault 502-html", "the stand-in panel"],
    ["install --port 8080", "the stand-in panel"],
    ["traffic show --up 5", '"traffic set"'],
    ["--now", '"update"'],
    ["--as-root", '"install"'],
    ["uninstall --replace", '"install"'],
    ["update --install-dir /opt/x", '"install"'],
    ["install --restore", '"uninstall"'],
    ["--print", '"install" and "uninstall"'],
    ["demo --install-service-name x", "an installed service"],
  ];
  for (const [args, subject] of wrong) {
    assertThrows(() => resolveConfig({ ...NOTHING, args: args.split(" ") }), UsageError, subject);
  }
});

Deno.test("refuseOptionsOfOthers() lets each command have its own", () => {
  const own: [args: string, values: (config: Config) => unknown, expected: unknown][] = [
    ["demo --fault help --port 1", ({ fault, port }) => ({ fault, port }), {
      fault: "help",
      port: 1,
    }],
    [
      "traffic set --up 5 --down 6 --install-service-name x",
      ({ totals, install }) => [totals, install.serviceName],
      [{ up: 5, down: 6 }, "x"],
    ],
    [
      "update --now --install-service-name x",
      ({ update, install }) => [update.now, update.check, install.serviceName],
      [true, false, "x"],
    ],
    [
      "install --as-root --replace --print --install-dir /opt/x --install-service-name x",
      ({ install: { asRoot, replace, print, folder, serviceName } }) => {
        return { asRoot, replace, print, folder, serviceName };
      },
      { asRoot: true, replace: true, print: true, folder: "/opt/x", serviceName: "x" },
    ],
    [
      "uninstall --restore --print",
      ({ install: { restore, print } }) => ({ restore, print }),
      { restore: true, print: true },
    ],
    ["--help --print", ({ help, install }) => [help, install.print], [true, true]],
  ];
  for (const [args, values, expected] of own) {
    const config = resolveConfig({ ...NOTHING, args: args.split(" ") });
    assertEquals(values(config), expected, args);
  }
});
