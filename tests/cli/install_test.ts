import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { isHangUpIgnored, runInstall } from "../../lib/cli/install.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { configOf, FakeContext } from "./fake_context.ts";

Deno.test("runInstall() shows an installation under a manager that is not here", async () => {
  const args = ["install", "-e", "https://panel.example", "-t", "s3cret", "--print"];
  const config = configOf([...args, "--manager", "openrc"]);
  const context = new FakeContext();
  assertEquals(await runInstall({ ...config, print: true }, context), 0);
  assertStringIncludes(context.printed, "File /etc/init.d/komari-agent-deno");
  assertEquals(context.printed.includes("s3cret"), false);
});

Deno.test("isHangUpIgnored() reads the first signal of the mask, which nohup sets", () => {
  const table: [mask: string, isIgnored: boolean][] = [
    ["0000000000000001", true],
    ["0000000000001007", true],
    ["ffffffffffffffff", true],
    ["0000000000001006", false],
    ["0000000000000000", false],
  ];
  for (const [mask, isIgnored] of table) {
    const status =
      `Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t${mask}\nSigCgt:\t0000000000000001\n`;
    assertEquals(isHangUpIgnored(status), isIgnored, mask);
  }
  assertEquals(isHangUpIgnored(""), false);
});

Deno.test("runInstall() listens for a hang-up, but not after nohup", async () => {
  const { addSignalListener, readTextFileSync } = Deno;
  try {
    const table: [mask: string, expected: string[]][] = [["0", ["SIGHUP"]], ["1", []]];
    for (const [mask, expected] of table) {
      const listened: string[] = [];
      Deno.addSignalListener = (name) => void listened.push(name);
      Deno.readTextFileSync = (path) =>
        path === "/proc/self/status" ? `SigIgn:\t${mask}\n` : readTextFileSync(path);
      const args = ["install", "-e", "https://panel.example", "-t", "t", "--print"];
      const config = { ...configOf([...args, "--manager", "openrc"]), print: true };
      assertEquals(await runInstall(config, new FakeContext()), 0);
      assertEquals(listened, expected);
    }
  } finally {
    Object.assign(Deno, { addSignalListener, readTextFileSync });
  }
});

Deno.test("runInstall() ends with 129 where a hang-up has ended it, and throws any other error", async () => {
  const { addSignalListener } = Deno;
  const config = { ...configOf(["install", "--print"]), print: true };
  try {
    Deno.addSignalListener = () => {};
    await assertRejects(() => runInstall(config, new FakeContext()), UsageError, "Cannot install");
    Deno.addSignalListener = (_, hangUp) => hangUp();
    assertEquals(await runInstall(config, new FakeContext()), 129);
  } finally {
    Object.assign(Deno, { addSignalListener });
  }
});

Deno.test("runInstall() goes on without a terminal that takes no more lines", async () => {
  const args = ["install", "-e", "https://panel.example", "-t", "t", "--print"];
  const config = { ...configOf([...args, "--manager", "openrc"]), print: true };
  let lines = 0;
  const context = Object.assign(new FakeContext(), {
    print() {
      lines++;
      throw new Deno.errors.BrokenPipe();
    },
  });
  assertEquals(await runInstall(config, context), 0);
  assertEquals(lines > 1, true);
});
