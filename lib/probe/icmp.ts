import type { Shell } from "../sandbox/shell.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { firstReachable, UnreachableError } from "./first_reachable.ts";
import { parsePingOutput, type PingOutcome } from "../parse/ping_output.ts";

const MISSING = 'there is no "ping" command: install iputils-ping (Debian, Ubuntu) or ' +
  "iputils (Fedora, Arch, Alpine)";

const FORBIDDEN = '"ping" may not open its socket: run the agent as root, grant it CAP_NET_RAW ' +
  "(AmbientCapabilities= in its systemd unit, --cap-add NET_RAW for its container), or widen " +
  "net.ipv4.ping_group_range";

/** Sends one echo request. */
export type Pinger = Pick<Shell, "ping">;

/** ICMP probes by the machine's own `ping`. */
export class IcmpProbe {
  readonly #shell: Pinger | undefined;
  readonly #log = getLogger("probe");
  readonly #observer: ProblemObserver | undefined;
  /** Why no probe can be sent at present; logged when it changes. */
  #failure: string | undefined;
  readonly #unreadableLog = LogRateLimit.once();

  /** Without a shell every probe fails. */
  constructor(shell: Pinger | undefined, observer?: ProblemObserver) {
    this.#shell = shell;
    this.#observer = observer;
  }

  /**
   * Milliseconds of one round trip, as `ping` prints them, to the first address that there is a
   * route to.
   *
   * A failure that concerns all targets (no `ping`, no permission to use it, no shell) is logged
   * when it starts, changes and ends.
   *
   * @throws {Error} When no reply came.
   */
  probe(addresses: readonly string[], options: { signal: AbortSignal }): Promise<number> {
    return firstReachable(addresses, async (address) => {
      const outcome = await this.#ping(address, options.signal);
      if (outcome.kind === "reply") return outcome.ms;
      throw outcome.kind === "unreachable"
        ? new UnreachableError(`Cannot reach ${address}: ${outcome.reason}`)
        : new Error(`Cannot ping ${address}: no reply`);
    });
  }

  /** Whether an echo request can be sent at all, whoever answers. */
  async isUsable(options: { signal: AbortSignal }): Promise<boolean> {
    await this.#ping("127.0.0.1", options.signal).catch(() => {});
    return this.#failure === undefined;
  }

  async #ping(address: string, signal: AbortSignal): Promise<PingOutcome> {
    try {
      if (!this.#shell) throw new Error("/bin/sh could not be started to ping with");
      const text = await this.#shell.ping(address, { signal });
      if (text === undefined) throw new Error(MISSING);
      const outcome = parsePingOutput(text);
      if (outcome.kind === "forbidden") throw new Error(`${FORBIDDEN} (${outcome.reason})`);
      this.#logFailure(undefined);
      return outcome;
    } catch (cause) {
      signal.throwIfAborted();
      if (!(cause instanceof SyntaxError)) this.#logFailure(describeError(cause));
      // Logged once: it may be the output for one target, between probes of others that work.
      else if (this.#unreadableLog.allows()) {
        this.#log.warning("A ping was lost: {error}", { error: cause.message });
      }
      throw new Error(`Cannot ping ${address}`, { cause });
    }
  }

  #logFailure(failure: string | undefined): void {
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#observer?.setProblem("ping", failure);
    if (failure === undefined) this.#log.info("ICMP probes work again");
    else this.#log.warning("ICMP probes don't work: {failure}", { failure });
  }
}
