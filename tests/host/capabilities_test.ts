import { assertEquals, assertMatch } from "@std/assert";
import { denoOutput } from "../deno_output.ts";
import { onlyIf, works } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";

const ROOT = new URL("../..", import.meta.url);
const NO_CAPABILITY = "0000000000000000";
const canChangeUser = Deno.build.os === "linux" && Deno.uid() === 0 &&
  /^\s*0\s+\d+\s+4294967295\s*$/.test(Deno.readTextFileSync("/proc/self/uid_map"));
const withCompiler = onlyIf(
  canChangeUser && await works(["gcc", "--version"], "with native code: gcc"),
);

const AS_USER = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"];

/** What a command prints. */
async function outputOf([command = "", ...args]: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(command, { args }).output();
  return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
}

withCompiler.test("a setuid ping of a root agent's shell has the right to raw sockets alone, and nothing that the starter left open", async () => {
  // Where nothing gains by a setuid bit, such a ping of a user's is deaf: in some containers, and in a
  // thread in which another test has started the shell of a root agent.
  const gains = /^NoNewPrivs:\s*0$/m.test(Deno.readTextFileSync("/proc/thread-self/status"));
  const hearing = gains ? "pings" : "deaf";
  using folder = new TempFolder();
  Deno.chmodSync(folder.path, 0o755);
  // Another user can't load what is in root's cache.
  const program = `${folder.path}/program.js`;
  const shell = new URL("pinging_shell.ts", import.meta.url).pathname;
  await denoOutput("bundle --quiet", ["--output", program, shell], { cwd: ROOT });
  const path = `${folder.path}/programs`;
  Deno.mkdirSync(path);
  const source = new URL("setuid_ping.c", import.meta.url).pathname;
  const line = `mount -t tmpfs -o mode=755 none ${path} && gcc -o ${path}/ping ${source} && ` +
    `chmod 4755 ${path}/ping && cd / && exec "$@" 9</etc/passwd`;
  const run = (...words: string[]) => outputOf(["unshare", "-m", "sh", "-c", line, "sh", ...words]);
  const pingOf = (...through: string[]) => {
    const cache = `DENO_DIR=${folder.path}/cache-${through.length}`;
    const deno = [Deno.execPath(), "run", "-A", "--no-config", program, path];
    return run("env", cache, "NO_COLOR=1", ...through, ...deno);
  };
  const withBit = await run(...AS_USER, "--securebits=+no_setuid_fixup", `${path}/ping`);
  const rights = gains ? "0*[1-9a-f][0-9a-f]{7,}" : NO_CAPABILITY;
  assertMatch(withBit, new RegExp(`^${rights} ${hearing} reads$`));
  assertEquals(await run(...AS_USER, `${path}/ping`), `${NO_CAPABILITY} ${hearing} reads`);

  const safe = "true undefined 0000000000002000 pings blind";
  assertEquals(await pingOf(), safe);
  // As a setuid program starts it.
  assertEquals(await pingOf("setpriv", "--ruid=1234", "--euid=0"), safe);
  // Where root may not pass its right on, it is the setuid ping that has it, and so for other users.
  const bounded = ["setpriv", "--bounding-set=-setpcap", "--inh-caps=-setpcap"];
  assertEquals(await pingOf(...bounded), `true undefined ${NO_CAPABILITY} ${hearing} blind`);
  Deno.mkdirSync(`${folder.path}/cache-4`);
  Deno.chownSync(`${folder.path}/cache-4`, 1234, 1234);
  assertEquals(
    await pingOf(...AS_USER),
    `false undefined ${NO_CAPABILITY} ${hearing} blind`,
  );
});
