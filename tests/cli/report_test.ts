import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import {
  logUnhandledErrors,
  requireDescriptors,
  requireStopped,
  runReport,
} from "../../lib/cli/report.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { HealthFile } from "../../lib/state/health_file.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { collectedLog } from "../log/collected_log.ts";
import { TempFolder } from "../temp_folder.ts";

Deno.test("requireStopped() throws while an agent is running here", async () => {
  using folder = new TempFolder();
  await requireStopped([folder.path]);
  const health = HealthFile.open([folder.path], { version: "1.2.3" });
  await assertRejects(() => requireStopped([folder.path]), Error, `process ${Deno.pid}`);
  health?.close();
  await requireStopped([folder.path]);
});

Deno.test("requireDescriptors() names a limit of open files that is too low, and what raises it", () => {
  requireDescriptors(undefined);
  requireDescriptors(64);
  assertThrows(() => requireDescriptors(63), UsageError, "may have 63 files open at a time");
});

Deno.test("logUnhandledErrors() logs an error that no code handles, and keeps the program running", async () => {
  const { addEventListener } = globalThis;
  const handlers = new Map<string, (event: PromiseRejectionEvent) => void>();
  Object.assign(globalThis, {
    addEventListener(name: string, handler: (event: PromiseRejectionEvent) => void) {
      handlers.set(name, handler);
    },
  });
  const lines = await collectedLog(() => {
    try {
      logUnhandledErrors();
    } finally {
      Object.assign(globalThis, { addEventListener });
    }
    const promise = Promise.resolve();
    const reason = new Error("it broke", { cause: new Error("deep down") });
    const options = { promise, reason, cancelable: true };
    const event = new PromiseRejectionEvent("unhandledrejection", options);
    handlers.get("unhandledrejection")?.(event);
    assertEquals(event.defaultPrevented, true);
    return Promise.resolve();
  });
  assertEquals([lines.length, lines[0]?.split(" ")[1]], [1, "error"]);
  assertStringIncludes(lines[0] ?? "", "Unexpected: it broke: deep down");
});

Deno.test("runReport() starts no second agent with the installed configuration", async () => {
  const folder = Deno.makeTempDirSync();
  const health = HealthFile.open([folder], { version: "1.2.3" });
  try {
    const args = ["-e", "http://127.0.0.1:1", "-t", "x", "--enable-remote-control"];
    const config = configOf(args, { RUNTIME_DIRECTORY: folder });
    const context = Object.assign(new FakeContext(), { signal: AbortSignal.abort() });
    await assertRejects(
      () => runReport({ ...config, isConfigInstalled: true }, context),
      Error,
      `an agent is running already (process ${Deno.pid})`,
    );
  } finally {
    health?.close();
    Deno.removeSync(folder, { recursive: true });
  }
});
