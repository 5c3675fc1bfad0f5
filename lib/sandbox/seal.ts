import { hardenProcess } from "./hardening.ts";
import { makeRuntimeCachesReadOnly } from "./runtime_caches.ts";
import { installSeccompFilter } from "./seccomp.ts";
import { mayBind, type SealNeeds } from "./seccomp_policy.ts";
import { nameUnixSockets } from "./unix_sockets.ts";

/** Permissions of the runtime that no sealed agent has a use for; Node's library reads variables (`env`). */
const REVOKED = ["run", "ffi", "write", "import"] as const;

/** What this process has given up. */
export interface Seal {
  /** Why the kernel does not enforce it; `undefined` when it does. */
  readonly kernelError: string | undefined;
  /** Why files can still be read; `undefined` when none can be opened. */
  readonly readsFiles?: string | undefined;
}

/**
 * Seals this process for the rest of its life: no code in it can start a program, open a file, or touch
 * another process. Handles that are open go on working.
 *
 * The kernel's filter enforces that for native code too. The runtime's own permissions are the
 * second part of the seal, and the only one where the kernel has no filter.
 *
 * @param needs What has to stay possible.
 * @throws {Error} When the runtime does not revoke its permissions; the agent must not go on then.
 */
export function sealProcess(needs: SealNeeds = {}): Seal {
  let kernelError: string | undefined;
  try {
    sealByKernel(needs);
  } catch (error) {
    kernelError = error instanceof Error ? error.message : String(error);
  }
  sealByRuntime(needs);
  return { kernelError, readsFiles: needs.readsFiles };
}

/**
 * Seals by the runtime alone.
 *
 * @throws {Error} When the runtime does not revoke its permissions.
 */
export function sealByRuntime(
  { readsFiles, looksAtFiles = false, asksSystem = false }: SealNeeds = {},
): void {
  for (const name of REVOKED) revoke(name);
  if (!looksAtFiles && readsFiles === undefined) revoke("read");
  if (!asksSystem) revoke("sys");
  // The runtime's inner functions, of which some ask for no permission.
  Reflect.deleteProperty(Deno, Reflect.get(Deno, "internal"));
}

function revoke(name: Deno.PermissionDescriptor["name"]): void {
  const { state } = Deno.permissions.revokeSync({ name });
  if (state === "granted") throw new Error(`Cannot revoke the permission to ${name}`);
}

/** Why the seal is not whole; `undefined` when it is. */
export function sealGap({ kernelError, readsFiles }: Seal): string | undefined {
  return kernelError ?? (readsFiles && `files can be read: ${readsFiles}`);
}

/** The seal as the log and `health` name it. */
export function describeSeal(seal: Seal): string {
  const gap = sealGap(seal);
  if (gap === undefined) return "sealed by the kernel and the runtime";
  return seal.kernelError === undefined
    ? `sealed by the kernel and the runtime, but ${gap}`
    : `sealed by the runtime only: ${gap}`;
}

/**
 * Seals by the kernel alone.
 *
 * @throws {Error} When the kernel does not take it.
 */
export function sealByKernel(needs: SealNeeds = {}): void {
  if (Deno.build.os !== "linux") throw new Error("macOS has no seccomp filters");
  // The filter keeps the runtime from installing its handler of SIGUSR1, so it must be there.
  hardenProcess();
  makeRuntimeCachesReadOnly();
  if (mayBind(needs)) nameUnixSockets();
  installSeccompFilter(needs);
}
