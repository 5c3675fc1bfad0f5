import { hostsFileAddresses } from "../parse/hosts_file.ts";
import { ipFamily } from "../parse/ip_address.ts";
import { withTimeLimit } from "./time_limit.ts";
import { Resolver } from "./resolve.ts";

/** Where a name server is; its port is 53 as a rule. */
export interface NameServerAddress {
  /** An IP literal without brackets, or a name that the system knows. */
  readonly host: string;
  readonly port: number;
}

/** What a name server is asked with; all of it is for tests. */
export interface NameServerOptions {
  system?: Pick<Resolver, "resolve">;
  /** The text of `/etc/hosts`. */
  readHosts?: () => Promise<string>;
}

const QUESTION_MS = 5000;

/** Some routers never answer for IPv6; once the one family is there, the other gets so long. */
const OTHER_FAMILY_MS = 500;

/** Host names to addresses by a name server of the user's choice, each time anew. */
export class NameServer {
  readonly #address: NameServerAddress;
  readonly #system: Pick<Resolver, "resolve">;
  readonly #readHosts: () => Promise<string>;

  constructor(address: NameServerAddress, options: NameServerOptions = {}) {
    this.#address = address;
    this.#system = options.system ?? new Resolver();
    this.#readHosts = options.readHosts ?? (() => Deno.readTextFile("/etc/hosts"));
  }

  /**
   * All addresses, IPv4 before IPv6, at least one. The server is not asked about literals,
   * `localhost` and the names in `/etc/hosts`.
   *
   * @throws {Error} When there is none, or no answer for 5 s.
   */
  async resolveAll(host: string, options: { signal: AbortSignal }): Promise<readonly string[]> {
    const { signal } = options;
    signal.throwIfAborted();
    if (ipFamily(host) !== undefined) return [host];
    const name = host.replace(/\.$/, "");
    const known = hostsFileAddresses(await this.#readHosts().catch(() => ""), name);
    if (known.length > 0) return known;
    if (name === "localhost" || name.endsWith(".localhost")) return ["127.0.0.1", "::1"];
    return await withTimeLimit((signal) => this.#ask(host, signal), { ms: QUESTION_MS, signal });
  }

  async #ask(host: string, signal: AbortSignal): Promise<readonly string[]> {
    const { host: server, port } = this.#address;
    const [ipAddr = server] = await this.#system.resolve(server, { signal });
    const late = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const questions = (["A", "AAAA"] as const).map(async (type) => {
      const found = await Deno.resolveDns(host, type, {
        nameServer: { ipAddr, port },
        signal: AbortSignal.any([signal, late.signal]),
      });
      timer ??= setTimeout(() => late.abort(), OTHER_FAMILY_MS);
      return found;
    });
    const answers = await Promise.allSettled(questions);
    clearTimeout(timer);
    signal.throwIfAborted();
    const addresses = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : [])
      .filter((address) => ipFamily(address) !== undefined);
    if (addresses.length > 0) return addresses;
    const cause = answers.find((answer) => answer.status === "rejected")?.reason;
    throw new Error(`Cannot resolve ${host}: it has no address`, { cause });
  }
}
