import { replace } from "../../lib/service/replace_official.ts";
import type { TargetSystem } from "../../lib/service/target_system.ts";
import { configOf, FakeSystem, NAME, USERS, withoutWaiting } from "./fake_system.ts";
import { testsWith } from "../tests_with.ts";

/** A service is up while there is a file of its name; what fails, and what hangs, is a file, too. */
const RC_SERVICE = `
up="$ROOT/users/up-$1"
[ -e "$ROOT/users/fail-$2-$1" ] && echo "no $2" && exit 1
[ -e "$ROOT/users/hang-$2-$1" ] && exec /bin/sleep 600
case $2 in
  restart) [ -e "$ROOT/users/broken-$1" ] || : >"$up" ;;
  stop) /bin/rm -f "$up" ;;
  status) [ -e "$up" ] ;;
esac`;

/** A machine of OpenRC's on which an official agent runs. */
export class OfficialMachine extends FakeSystem {
  constructor() {
    const folders = ["run/openrc", "etc/init.d", "var/log", "opt/komari"];
    const fakes = { ...USERS, "rc-update": "", "rc-service": RC_SERVICE, tail: "echo refused" };
    super({ folders, fakes });
    const script = new URL("../fixtures/official/komari-agent.openrc", import.meta.url);
    this.write("/etc/init.d/komari-agent", Deno.readTextFileSync(script));
    this.write("/opt/komari/agent", "the official agent");
    this.write("/opt/komari/net_static.json", '{"interfaces": {}}');
    this.write("/users/up-komari-agent", "");
  }

  /** Whether services run, by their names. */
  isUp(name: string): boolean {
    return this.tree("/users").some((line) => line.startsWith(`/users/up-${name} `));
  }

  /** The panel accepts the reports of whatever is installed until this is closed. */
  accepting(): Disposable {
    return this.acceptedAgent(`/run/${NAME}`);
  }
}

/** As `install --replace` with more words behind it, in no time. */
export async function replaceNow(
  { root }: FakeSystem,
  system: TargetSystem,
  words: readonly string[] = [],
  signal = new AbortController().signal,
): Promise<string | undefined> {
  const args = ["install", "--replace", ...words];
  return await withoutWaiting(system, (it) =>
    replace(configOf(args, { root }), it, {
      signal,
      resolveWith: ({ given }) => configOf(args, { root, importedOptions: given }),
    }));
}

/** Tests on a machine with the official agent. */
export const onOfficialMachine = testsWith(() => new OfficialMachine());
