import { assertThrows } from "@std/assert";
import { resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/errors.ts";

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
  for (
    const args of [
      "demo --fault help --port 1",
      "traffic set --up 5 --down 6 --install-service-name x",
      "update --now --install-service-name x",
      "install --as-root --replace --print --install-dir /opt/x --install-service-name x",
      "uninstall --restore --print",
      "--help --print",
    ]
  ) resolveConfig({ ...NOTHING, args: args.split(" ") });
});
