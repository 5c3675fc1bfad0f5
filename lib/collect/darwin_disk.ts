import type { DarwinHost } from "../host/darwin_host.ts";
import type { FileSystemUse } from "../host/host.ts";
import { parseDarwinMounts } from "../parse/darwin_mounts.ts";
import type { Usage } from "../types.ts";
import { chooseDarwinMounts, type DarwinMountVerdict } from "./darwin_mount_choice.ts";
import type { LateText } from "./late_text.ts";
import { leaveOut, type MountVerdict } from "./mount_choice.ts";
import { PatientStatfs } from "./patient_statfs.ts";
import { sumOfUse } from "./sum_of_use.ts";

/**
 * Disk space of a Mac, each container of volumes once: all of it, and what can't be had any more.
 *
 * The mounts are chosen anew from each output of `mount`. What may hang is asked beside the reports
 * and counts with its last answer.
 */
export class DarwinDisk {
  readonly #host: Pick<DarwinHost, "statfs">;
  readonly #mounts: LateText;
  readonly #include: readonly string[];
  readonly #patient: PatientStatfs;
  #verdicts: DarwinMountVerdict[] = [];
  #chosenAtMs: number | undefined;

  constructor(
    host: Pick<DarwinHost, "statfs" | "statfsAsync" | "monotonicMs">,
    mounts: LateText,
    options: { includeMountPoints: readonly string[] },
  ) {
    this.#host = host;
    this.#mounts = mounts;
    this.#include = options.includeMountPoints;
    this.#patient = new PatientStatfs(host);
  }

  /**
   * The space of all counted mounts together; `undefined` before the first output of `mount`, and
   * when no file system has answered.
   *
   * @throws {Error} When the output can't be had or read.
   */
  collect(): Usage | undefined {
    const text = this.#mounts.read();
    if (text === undefined) return undefined;
    if (this.#mounts.atMs !== this.#chosenAtMs) {
      this.#verdicts = chooseDarwinMounts(parseDarwinMounts(text), this.#include);
      this.#chosenAtMs = this.#mounts.atMs;
      const paths = this.#verdicts.filter((it) => it.counted && it.mayHang);
      this.#patient.keepOnly(new Set(paths.map(({ mountPoint }) => mountPoint)));
    }
    const answers: { use: FileSystemUse }[] = [];
    this.#verdicts = this.#verdicts.map((verdict) => {
      if (!verdict.counted) return verdict;
      const use = this.#ask(verdict);
      if (use instanceof Error) {
        return { ...leaveOut(verdict, "its space can't be asked for"), mayHang: verdict.mayHang };
      }
      // A volume's own free part counts what other volumes of its container have taken.
      if (use) answers.push({ use: { ...use, freeBlocks: use.availableBlocks } });
      return verdict;
    });
    return sumOfUse(answers);
  }

  /** What was decided for each mount, the root first; empty before the first look. */
  mounts(): MountVerdict[] {
    return this.#verdicts.map(({ mountPoint, source, type, counted, rule }) => {
      return { mountPoint, source, type, counted, rule };
    });
  }

  #ask({ mountPoint, mayHang }: DarwinMountVerdict): FileSystemUse | Error | undefined {
    if (mayHang) return this.#patient.ask(mountPoint);
    try {
      return this.#host.statfs(mountPoint);
    } catch (cause) {
      return new Error(`Cannot ask ${mountPoint} for its space`, { cause });
    }
  }
}
