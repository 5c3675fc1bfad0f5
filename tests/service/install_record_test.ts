import { assertEquals, assertThrows } from "@std/assert";
import {
  foreignOwner,
  formatInstallRecord,
  type InstallRecord,
  parseInstallRecord,
} from "../../lib/service/install_record.ts";

const RECORD: InstallRecord = {
  service: "komari-agent-deno",
  manager: "systemd",
  scope: "system",
  user: "komari-agent-deno",
  createdUser: true,
  enabledLinger: "",
  program: "/opt/komari-agent-deno/komari-agent-deno",
  config: "/etc/komari-agent-deno/config.json",
  stateFolder: "/var/lib/komari-agent-deno",
  runtimeFolder: "/run/komari-agent-deno",
  logFile: "/var/log/komari-agent-deno.log",
  files: ["/etc/systemd/system/komari-agent-deno.service"],
  links: ["/usr/local/bin/komari-agent-deno"],
  folders: ["/opt/komari-agent-deno", "/opt"],
  trees: ["/var/lib/komari-agent-deno"],
  pinned: "1.2.3",
  rootOptions: { mirror: "https://mirror.example" },
};

Deno.test("parseInstallRecord() parses the output of formatInstallRecord()", () => {
  assertEquals(parseInstallRecord(formatInstallRecord(RECORD)), RECORD);
});

Deno.test("parseInstallRecord() throws when a path is dangerous or a field is wrong", () => {
  const bad: Record<string, unknown>[] = [
    { trees: ["/"] },
    { trees: ["/etc"] },
    { trees: ["/etc/."] },
    { trees: ["/./etc"] },
    { trees: ["/var/lib/../.."] },
    { trees: ["/var/lib/x/"] },
    { trees: "/var/lib/x" },
    { rootOptions: undefined },
    { rootOptions: { mirror: 1 } },
    { files: ["etc/passwd"] },
    { files: [7] },
    { folders: [""] },
    { program: "./x" },
    { manager: "sysv" },
    { scope: "all" },
    { service: "a b" },
    { user: undefined },
    { links: undefined },
  ];
  for (const change of bad) {
    const text = JSON.stringify({ ...RECORD, ...change });
    assertThrows(
      () => parseInstallRecord(text),
      SyntaxError,
      "Cannot parse the installation record",
    );
  }
  for (const text of ["", "null", "[]", '"x"', "{"]) {
    assertThrows(() => parseInstallRecord(text), SyntaxError);
  }
});

Deno.test("foreignOwner() is who else than this user and root owns a file", () => {
  const path = Deno.makeTempFileSync();
  try {
    assertEquals(foreignOwner(path), undefined);
    assertEquals(foreignOwner("/"), undefined, "root's");
    if (Deno.uid() === 0) {
      Deno.chownSync(path, 65_534, 65_534);
      assertEquals(foreignOwner(path), 65_534);
    }
  } finally {
    Deno.removeSync(path);
  }
});
