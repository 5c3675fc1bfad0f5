import { abortable } from "@std/async/abortable";
import type { Config } from "../config/config.ts";
import { describeError } from "../log/log.ts";
import { RUNTIME_NAMES, type SystemNames } from "../net/dns.ts";
import { isRoot } from "../sandbox/seal.ts";
import type { SealNeeds } from "../sandbox/seccomp_policy.ts";
import type { Shell } from "../sandbox/shell.ts";

/** A process that runs commands for one of its panels can't give up the right to run them. */
export function isSealable({ remoteControl, furtherPanels }: Config): boolean {
  return !remoteControl && furtherPanels.every((panel) => !panel.remoteControl);
}

/** Whether an agent of this configuration, started as this user, is root until it seals itself. */
export function isRootUntilSealed(config: Config): boolean {
  return isRoot() && isSealable(config);
}

/** The needs of an agent of this configuration after the seal; it waits for no shell once it is to end. */
export async function sealNeeds(
  config: Config,
  { names, shell, signal }: {
    names: ShellNames;
    shell: Pick<Shell, "user" | "staysRoot"> | undefined;
    signal: AbortSignal;
  },
): Promise<SealNeeds> {
  return {
    readsFiles: await abortable(names.failure, signal).catch(() => undefined),
    user: shell?.user,
    rootShell: shell?.staysRoot,
    // Questions to a name server by UDP come from an address of their own.
    bindsSockets: config.nameServer !== undefined,
    // Whether its file was deleted.
    looksAtFiles: config.monthRotate !== 0,
    asksSystem: Deno.build.os === "darwin",
  };
}

/**
 * Resolves names by the helper shell, so that this process needs to open no file for it; by the
 * runtime where the shell can't.
 */
export class ShellNames implements SystemNames {
  #shell: Shell | undefined;
  /** Why names can be resolved in this process only; `undefined` when the shell resolves them. */
  readonly failure: Promise<string | undefined>;
  readonly #sealed = Promise.withResolvers<void>();

  constructor(shell: Shell | undefined) {
    this.#shell = shell;
    this.failure = this.#try();
  }

  /** The network may be read in this process from now on. */
  onSealed(): void {
    this.#sealed.resolve();
  }

  async lookUp(host: string): Promise<readonly string[]> {
    const found = await this.#shell?.lookUp(host);
    if (found !== undefined) return found;
    await this.#sealed.promise;
    return await RUNTIME_NAMES.lookUp(host);
  }

  get nameServers(): readonly string[] | undefined {
    return this.#shell?.nameServers;
  }

  async lookUpHosts(host: string): Promise<readonly string[]> {
    return await this.#shell?.lookUpHosts(host) ?? await RUNTIME_NAMES.lookUpHosts(host);
  }

  async #try(): Promise<string | undefined> {
    const shell = this.#shell;
    if (shell === undefined) return "/bin/sh could not be started to resolve names with";
    const failure = await shell.canLookUp().then(
      (canLookUp) => canLookUp ? undefined : 'there is no "getent" that resolves names',
      describeError,
    );
    if (failure !== undefined) this.#shell = undefined;
    return failure;
  }
}
