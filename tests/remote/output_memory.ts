import { Programs } from "../../lib/host/programs.ts";
import { runCommand } from "../../lib/remote/command.ts";

// How much memory a command with 200 MB of output takes, in a process of its own; prints JSON.

function run(command: string) {
  return runCommand(command, {
    programs: new Programs(),
    env: { PATH: Deno.env.get("PATH") ?? "" },
    cwd: "/",
    timeoutMs: 600_000,
    signal: new AbortController().signal,
  });
}

// Once before, for what loads at first use.
await run("yes | head -c 10000000");
const before = Deno.memoryUsage().rss;
let most = before;
const timer = setInterval(() => most = Math.max(most, Deno.memoryUsage().rss), 20);
const { output, exitCode } = await run("yes | head -c 200000000; echo error >&2; exit 4");
clearInterval(timer);
const { length } = output;
console.log(
  JSON.stringify({ grewBytes: most - before, exitCode, length, end: output.slice(-100) }),
);
