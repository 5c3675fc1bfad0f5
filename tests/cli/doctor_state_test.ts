import { assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { checkStateFolder } from "../../lib/cli/doctor_state.ts";
import { StateFile } from "../../lib/state/state_file.ts";
import type { Config } from "../../lib/config/config.ts";
import { inContainerImage } from "./container_image.ts";
import { configOf as resolved } from "./fake_context.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { healthOf, problemHealth } from "./seen_health.ts";
import { replaced } from "../replaced.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { adviceText } from "./advice_text.ts";
import { restoring } from "../restoring.ts";

function configOf(...args: readonly string[]): Config {
  return resolved(["doctor", ...args]);
}

Deno.test("checkStateFolder() gives the advice that fits the problem of the agent's state", async () => {
  const config = configOf("--month-rotate", "1", "--state-dir", "/srv/state");
  const table: [reason: string, advice: string][] = [
    ["No space left on device", "make room on the disk of /srv/state"],
    ["Disk quota exceeded", "raise the disk quota of the agent's user"],
    ["another agent uses it", "give each agent a --state-dir of its own"],
    ["Read-only file system", "make its disk writable (mount -o remount,rw)"],
    ["the folder was deleted", "run doctor as root: it has the command"],
    ["restart the agent", "repair that, and restart the agent"],
    [
      "permission denied",
      `give the folder to the agent's user: chown -R ${Deno.uid()}:${Deno.gid()} /`,
    ],
    ["odd", "see what hinders it: namei -l /srv/state"],
  ];
  for (const [reason, advice] of table) {
    const found = await checkStateFolder(config, problemHealth("state", reason));
    assertEquals(found.status, "failed");
    assertStringIncludes(found.text, `the running agent says: the month's traffic can't be kept: `);
    assertStringIncludes(adviceText(found), advice, reason);
  }
});

Deno.test("checkStateFolder() tells a unit that makes the folder read-only from its disk", async () => {
  const config = configOf("--month-rotate", "1", "--state-dir", "/var/lib/x");
  const health = problemHealth("state", "Read-only file system");
  const of = async (...settings: [name: string, value: string][]) => {
    const unit = settings.map(([name, value], at) => ({ name, value, file: `/${at}.conf` }));
    return (await checkStateFolder(config, health, unit)).causes ??
      [(await checkStateFolder(config, health, unit)).advice];
  };
  const own = [["ProtectSystem", "strict"], ["StateDirectory", "x"]] as [string, string][];
  const starts = async (...settings: [name: string, value: string][]) =>
    (await of(...settings)).map((line) => line?.slice(0, 30));
  const disk = ["see whether the kernel made its", "make its disk writable (mount -"]
    .map((line) => line.slice(0, 30));
  assertEquals(await starts(), disk);
  assertEquals(await starts(...own), disk);
  const expected = ["let the service write there: R", ...disk];
  assertEquals(await starts(["ProtectSystem", "strict"]), expected);
  const reload = "and then: systemctl daemon-reload && systemctl restart komari-agent-deno";
  assertEquals(await of(...own, ["ReadOnlyPaths", "/etc -/var/lib"]), [
    `remove ReadOnlyPaths=/etc -/var/lib in /2.conf, ${reload}`,
  ]);
  assertEquals(await of(...own, ["StateDirectory", ""]), [
    `remove StateDirectory= in /2.conf, ${reload}`,
  ]);
});

Deno.test("checkStateFolder() claims nothing of a folder whose user systemd makes at each start", async () => {
  const config = configOf("--month-rotate", "1", "--state-dir", "/proc/none");
  const of = (value: string, health?: Health) =>
    checkStateFolder(config, health, [{ name: "DynamicUser", value, file: "/x.conf" }]);
  const untried = await of("yes");
  assertEquals(untried.status, "skipped");
  assertStringIncludes(
    untried.text,
    "can't be tried as its user, which systemd makes at each start",
  );
  assertNotEquals((await of("no")).status, "skipped");
  const { advice } = await of("yes", problemHealth("state", "permission denied"));
  assertStringIncludes(advice ?? "", "remove DynamicUser=yes in /x.conf, and then: systemctl");
});

Deno.test("checkStateFolder() tells a disk without inodes from a full one", async () => {
  const config = configOf("--month-rotate", "1", "--state-dir", "/nowhere/state");
  const full = problemHealth("state", "No space left on device");
  const { promises } = await import("node:fs");
  const { statfs } = promises;
  const asked: string[] = [];
  const stub = (info: { bavail: number; files: number; ffree: number }) =>
    Object.assign(promises, {
      statfs(path: string) {
        asked.push(path);
        return path === "/" ? Promise.resolve(info) : Promise.reject(new Error("none"));
      },
    });
  try {
    for (
      const [info, start] of [
        [{ bavail: 7, files: 9, ffree: 0 }, "all inodes of the disk of /nowhere/state are used"],
        [{ bavail: 0, files: 9, ffree: 3 }, "make room on the disk of /nowhere/state"],
        [{ bavail: 7, files: 0, ffree: 0 }, "make room on the disk of /nowhere/state"],
      ] as const
    ) {
      stub(info);
      const { advice } = await checkStateFolder(config, full);
      assertStringIncludes(advice ?? "", start);
    }
    assertEquals(asked[0], "/");
  } finally {
    Object.assign(promises, { statfs });
  }
});

Deno.test("checkStateFolder() leaves the folder alone that no option needs", async () => {
  const { status } = await checkStateFolder(configOf("--state-dir", "/nowhere"), undefined);
  assertEquals(status, "skipped");
  const key = ["--auto-discovery", "key-of-the-panel", "--state-dir"];
  using temp = new TempFolder();
  const folder = temp.path;
  const found = await checkStateFolder(configOf(...key, folder), undefined);
  assertEquals([found.status, found.text], ["ok", folder]);
});

Deno.test("in the container image checkStateFolder() has advice about the container", async () => {
  await inContainerImage(async () => {
    const state = ["--month-rotate", "1", "--state-dir", "/srv/state"];
    const denied = await checkStateFolder(configOf(...state), problemHealth("state", "denied"));
    const expected = "give the container a volume at /srv/state that its user can write";
    assertEquals(denied.advice, expected);
    const full = problemHealth("state", "No space left");
    const words = "make room";
    assertStringIncludes((await checkStateFolder(configOf(...state), full)).advice ?? "", words);
  });
});

Deno.test("checkStateFolder() has the agent started again where it takes a folder only at its start", async () => {
  const config = {
    ...configOf("--month-rotate", "1", "--state-dir", "/srv/state"),
    isConfigInstalled: true,
  };
  const given = "Permission denied; restart the agent when that is repaired";
  const { causes = [] } = await checkStateFolder(config, problemHealth("state", given));
  assertStringIncludes(causes[0] ?? "", "/srv/state && komari-agent-deno install");
  const odd =
    "Cannot use /srv/state/month.state: it is no regular file; restart the agent when that";
  assertEquals(
    (await checkStateFolder(config, problemHealth("state", odd))).advice,
    "move away what is there: mv /srv/state/month.state /srv/state/month.state.old && " +
      "komari-agent-deno install",
  );
});

Deno.test("checkStateFolder() asks whether a folder is immutable that denies what its rights allow", async () => {
  const config = configOf("--month-rotate", "1", "--state-dir", "/srv/state");
  const denied = problemHealth("state", "Operation not permitted");
  const { causes = [] } = await checkStateFolder(config, denied);
  assertStringIncludes(causes[0] ?? "", "lsattr -d /srv/state");
});

inFolder.test("checkStateFolder() asks for a volume where the agent is process 1", async ({ path: folder }) => {
  const config = configOf("--month-rotate", "1", "--state-dir", folder);
  const volume = `give the container a volume at ${folder} that its user can write`;
  const readOnly = { ...problemHealth("state", "Read-only file system"), pid: 1 };
  assertEquals((await checkStateFolder(config, readOnly)).advice, volume);
  const { statSync } = Deno;
  const of = async (pid: number, rootDevice: number) => {
    using _ = replaced(Deno, {
      statSync: (path) => ({ ...statSync(path), dev: path === "/" ? rootDevice : 7 }),
    });
    const { status, advice } = await checkStateFolder(config, { ...healthOf({}), pid });
    return [status, advice];
  };
  assertEquals(await of(1, 7), ["warning", volume]);
  assertEquals(await of(1, 8), ["ok", undefined]);
  assertEquals(await of(Deno.pid, 7), ["ok", undefined]);
  using _ = replaced(Deno, {
    statSync: (path) => ({ ...statSync(path), dev: path === "/" ? 8 : 7 }),
  });
  const denied = { ...problemHealth("state", "Permission denied"), pid: 1 };
  const words = `give what is mounted at ${folder} to the container's user, on its host: chown -R `;
  assertStringIncludes((await checkStateFolder(config, denied)).advice ?? "", words);
});

Deno.test("checkStateFolder() brings 64 KiB to the disk, and leaves nothing where that fails", async () => {
  const { open } = Deno;
  using _open = restoring(Deno, "open");
  using temp = new TempFolder();
  const folder = temp.path;
  const config = configOf("--month-rotate", "1", "--state-dir", folder);
  const full = new Error("No space left on device");
  for (const failing of ["", "write", "sync"]) {
    const seen = { bytes: 0, synced: 0, closed: 0, modes: [0] };
    Deno.open = async (path, options) => {
      const file = await open(path, options);
      return Object.assign(Object.create(null), {
        async write(bytes: Uint8Array) {
          if (failing === "write" && seen.bytes + bytes.length > 60 * 1024) throw full;
          seen.bytes += bytes.length;
          return await file.write(bytes);
        },
        async syncData() {
          if (failing === "sync") throw full;
          seen.synced = seen.bytes;
          seen.modes = Array.from(
            Deno.readDirSync(folder),
            ({ name }) => (Deno.statSync(`${folder}/${name}`).mode ?? 0) & 0o777,
          );
          await file.syncData();
        },
        close() {
          seen.closed++;
          file.close();
        },
      });
    };
    const found = await checkStateFolder(config, undefined);
    assertEquals(found.status, failing === "" ? "ok" : "failed", failing);
    assertEquals([seen.closed, [...Deno.readDirSync(folder)]], [1, []], "nothing is left");
    if (failing === "") assertEquals([seen.synced, seen.modes], [64 * 1024, [0o600]]);
    else {
      assertEquals(found.text, `${folder} can't be written: No space left on device`);
      assertStringIncludes(adviceText(found), "make room on the disk");
    }
  }
});

inFolder.test("checkStateFolder() leaves a folder to systemd that it makes at each start", async (temp) => {
  const config = configOf("--month-rotate", "1", "--state-dir", `${temp.path}/x`);
  const of = (...values: string[]) => {
    const unit = values.map((value) => ({ name: "StateDirectory", value, file: "/x.service" }));
    return checkStateFolder(config, undefined, unit);
  };
  assertEquals((await of("x")).text, `${temp.path}/x is made by systemd at the next start`);
  assertEquals((await of("x", "")).text, `${temp.path}/x can be made`);
});

inFolder.test("checkStateFolder() tries the folder, and leaves nothing there", async ({ path: folder }) => {
  const config = configOf("--month-rotate", "1", "--state-dir", `${folder}/state`);
  const fresh = await checkStateFolder(config, undefined);
  assertEquals([fresh.status, fresh.text], ["ok", `${folder}/state can be made`]);
  Deno.mkdirSync(`${folder}/state`);
  assertEquals((await checkStateFolder(config, undefined)).text, `${folder}/state`);
  assertEquals([...Deno.readDirSync(`${folder}/state`)], []);
  Deno.removeSync(`${folder}/state`);
  Deno.writeTextFileSync(`${folder}/state`, "no folder");
  const broken = await checkStateFolder(config, undefined);
  assertEquals(broken.status, "failed");
  assertStringIncludes(adviceText(broken), "--state-dir");
});

inFolder.test("checkStateFolder() has the command by which a deleted state gets its name back", async ({ path: parent }) => {
  const folder = `${parent}/it's a folder`;
  const config = configOf("--month-rotate", "1", "--state-dir", folder);
  const parse = (text: string) => text;
  const file = new StateFile(folder, { name: "month", parse });
  using _ = file;
  await file.open();
  await file.write("what was counted");
  const health = healthOf({ pid: Deno.pid, isRunning: true });
  assertEquals((await checkStateFolder(config, health)).status, "ok");
  Deno.renameSync(folder, `${parent}/moved`);
  const moved = await checkStateFolder(config, { ...health, stateFolder: folder });
  assertStringIncludes(moved.text, `${file.path} was moved away while the agent has it open`);
  assertEquals((await checkStateFolder(config, health)).status, "ok", "it may have another folder");
  Deno.renameSync(`${parent}/moved`, folder);
  Deno.removeSync(folder, { recursive: true });
  const found = await checkStateFolder(config, health);
  const { path } = file;
  assertEquals([found.status, found.text], [
    "failed",
    `${path} was deleted while the agent has it open: the next restart loses its content`,
  ]);
  const [, command = ""] = /^as root: (.*); then restart the agent$/.exec(adviceText(found)) ??
    [];
  const { success } = await new Deno.Command("sh", { args: ["-c", command] }).output();
  assertEquals(success, true, command);
  assertEquals(new StateFile(folder, { name: "month", parse }).read().value, "what was counted");
  assertEquals([folder, path].map((it) => (Deno.statSync(it).mode ?? 0) & 0o777), [0o700, 0o600]);
  const again = await checkStateFolder(config, health);
  const expected = [`${path} was replaced while the agent has it open`, "restart the agent"];
  assertEquals([again.text, adviceText(again)], expected);
  const ended = healthOf({ pid: Deno.pid, isRunning: false });
  assertEquals((await checkStateFolder(config, ended)).status, "ok");
});
