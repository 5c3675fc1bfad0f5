import { hardenProcess } from "./hardening.ts";
import { makeRuntimeCachesReadOnly } from "./runtime_caches.ts";
import { installSeccompFilter } from "./seccomp.ts";
import { nameUnixSockets } from "./unix_sockets.ts";

/**
 * Permissions of the runtime that a sealed agent has no use for. It still reads `/etc/hosts` (`read`),
 * lists interfaces (`sys`), and sets variables for probes through proxies (`env`).
 */
const REVOKED = ["run", "ffi", "write", "import"] as const;

/** Walls between code in this process and the rest of the machine. */
export interface Sandbox {
  /** Why the kernel does not enforce it; `undefined` when it does. */
  readonly kernelError: string | undefined;
}

/**
 * Seals this process for the rest of its life: no code in it can start a program, write a file that
 * is not open yet, or touch another process.
 *
 * The kernel's filter enforces that for native code too. The runtime's own permissions are a second
 * wall, and the only one where the kernel has no filter. As a side effect nothing below `/proc` and
 * `/sys` can be opened by path any more; handles that are open go on working.
 *
 * @param options `installFilter` is for tests, which show what is possible without it.
 * @throws {Error} When the runtime does not revoke its permissions; the agent must not go on then.
 */
export function sealProcess(
  { installFilter = sealByKernel }: { installFilter?: () => void } = {},
): Sandbox {
  const kernelError = tryInstall(installFilter);
  for (const name of REVOKED) {
    const { state } = Deno.permissions.revokeSync({ name });
    if (state === "granted") throw new Error(`Cannot revoke the permission to ${name}`);
  }
  // The runtime's inner functions, of which some ask for no permission.
  Reflect.deleteProperty(Deno, Reflect.get(Deno, "internal"));
  return { kernelError };
}

/** The walls that stand, as the log and `health` name them. */
export function describeSandbox({ kernelError }: Sandbox): string {
  return kernelError === undefined
    ? "sealed by the kernel and the runtime"
    : `sealed by the runtime only: ${kernelError}`;
}

/**
 * Puts up the kernel's wall alone.
 *
 * @throws {Error} When the kernel does not take it.
 */
export function sealByKernel(): void {
  if (Deno.build.os !== "linux") throw new Error("macOS has no seccomp filters");
  // The filter keeps the runtime from installing its handler of SIGUSR1, so it must be there.
  hardenProcess();
  makeRuntimeCachesReadOnly();
  nameUnixSockets();
  installSeccompFilter();
}

function tryInstall(installFilter: () => void): string | undefined {
  try {
    installFilter();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
