import type { InstallRecord } from "../../lib/service/install_record.ts";
import { writeExecutable } from "../executable.ts";
import { withTexts } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";

/** A service of systemd, as a command finds it: its record, and tools that answer for it. */
export interface InstalledService {
  readonly name: string;
  /** The folder of all that belongs to it; its health file would be in `run` there. */
  readonly folder: string;
  /** The environment in which commands find its tools. */
  readonly env: Record<string, string>;
}

/**
 * Runs `use` with a service that only this test's file sees; `scripts` are tools by their names, and
 * `change` is of its record.
 */
export async function withInstalledService(
  scripts: Readonly<Record<string, string>>,
  use: (service: InstalledService) => Promise<void>,
  change: Partial<InstallRecord> = {},
): Promise<void> {
  using temp = new TempFolder();
  const folder = temp.path;
  const name = `komari-test-${crypto.randomUUID()}`;
  const record = {
    ...{ service: name, manager: "systemd", scope: Deno.uid() === 0 ? "system" : "user" },
    ...{ user: "", program: `${folder}/agent`, config: `${folder}/config.json` },
    ...{ stateFolder: `${folder}/state`, runtimeFolder: `${folder}/run`, logFile: `${folder}/log` },
    ...{ files: [], links: [], folders: [], trees: [`${folder}/state`] },
    ...{ createdUser: false, enabledLinger: "", pinned: "", rootOptions: {}, ...change },
  };
  using _record = withTexts((path) =>
    path.endsWith(`/${name}/install.json`) ? JSON.stringify(record) : undefined
  );
  Deno.mkdirSync(`${folder}/bin`);
  for (const [tool, script] of Object.entries(scripts)) {
    writeExecutable(`${folder}/bin/${tool}`, `#!/bin/sh\n${script}\n`);
  }
  await use({ name, folder, env: { HOME: folder, PATH: `${folder}/bin` } });
}
