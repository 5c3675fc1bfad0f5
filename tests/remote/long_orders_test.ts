import { assertEquals } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { Commands } from "../../lib/remote/commands.ts";
import { Files } from "../../lib/remote/files.ts";
import { LongOrders } from "../../lib/remote/long_orders.ts";
import { collectedLog } from "../log/collected_log.ts";
import { FakePanel } from "./fake_panel.ts";
import { eventually } from "./processes_below.ts";

const LENGTHS = { lengthBytes: 9_000_000, limitBytes: 8_388_608 };
const SIZE = "it has 9000000 bytes, and at most 8388608 are taken";

const table = [
  ["on", new Programs(), `The command was not run: ${SIZE}.`, `too long a request: ${SIZE}`],
  ["off", undefined, "Remote control is disabled.", "web control is disabled"],
] as const;
for (const [state, programs, output, error] of table) {
  Deno.test(`LongOrders.handle() answers once what it can name, and logs the first, remote control ${state}`, async () => {
    const panel = new FakePanel();
    const { commandResults, fileResults } = panel.sender;
    const commands = new Commands(programs, panel.sender, { timeoutMs: 1000 });
    const files = new Files(programs, panel, { isAllowed: true });
    const orders = new LongOrders({ commands, files });
    const lines = await collectedLog(async () => {
      for (let times = 0; times < 3; times++) {
        const cases = [
          ["agent.exec", "c"],
          ["agent.exec", undefined],
          ["agent.message", "m"],
          ["", "x"],
        ] as const;
        for (const [method, orderId] of cases) {
          orders.handle({ kind: "too long", method, orderId, ...LENGTHS });
        }
      }
      orders.handle({ kind: "too long", method: "agent.file", orderId: "f", ...LENGTHS });
      await eventually(() => commandResults.length + fileResults.length >= 2);
    });
    assertEquals(
      commandResults.map(({ taskId, output, exitCode }) => [taskId, output, exitCode]),
      [["c", output, -1]],
    );
    assertEquals(fileResults.map(({ requestId, ok, error }) => [requestId, ok, error]), [
      ["f", false, error],
    ]);
    assertEquals(lines.length, 1, lines.join("\n"));
    await Promise.all([commands.close(), files.close()]);
  });
}
