import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  explainError,
  logToStandardError,
  outputWithout,
  print,
  printError,
  terminalColumns,
} from "../../lib/cli/output.ts";
import { getLogger } from "../../lib/log/log.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { collectedLog } from "../log/collected_log.ts";
import { same } from "../cases.ts";
import { replaced } from "../replaced.ts";
import { configOf } from "./fake_context.ts";
import { onlyIf } from "../only_on.ts";

const withoutTerminal = onlyIf(!Deno.stdout.isTerminal());

withoutTerminal.test("terminalColumns() asks the terminal that shows the output, and takes COLUMNS where there is none", () => {
  assertEquals(terminalColumns({ COLUMNS: "60" }), 60);
  for (const COLUMNS of ["", "0", "-1", "x", "1e3", "10000"]) {
    assertEquals(terminalColumns({ COLUMNS }), Infinity);
  }
  assertEquals(terminalColumns({}), Infinity);
  using _terminal = replaced(Deno.stdout, { isTerminal: () => true });
  using _size = replaced(Deno, { consoleSize: () => ({ columns: 72, rows: 24 }) });
  assertEquals(terminalColumns({ COLUMNS: "60" }), 72);
  const consoleSize = () => {
    throw new Error("It has no size");
  };
  using _noSize = replaced(Deno, { consoleSize });
  assertEquals(terminalColumns({ COLUMNS: "60" }), Infinity);
});

Deno.test("logToStandardError() begins with the notices, and writes for journald where it runs, and in colors at a terminal unless NO_COLOR is set", async () => {
  const linesOf = (forJournal: boolean, ...args: string[]): string[] => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    logToStandardError(configOf(["--transport", "http", "--interval", "60", ...args]), ["s3cret"], {
      ...{ write, forJournal },
    });
    getLogger("agent").info("It is {what}", { what: "s3cret" });
    getLogger("agent").debug("x");
    return lines;
  };
  // It leaves the log as the others want it.
  await collectedLog(() => {
    const [notice = "", ...rest] = linesOf(true);
    assertStringIncludes(notice, "<4>agent: --interval 60 is long");
    assertEquals(rest, ["<6>agent: It is …"]);
    assertEquals(linesOf(true, "--log-level", "error"), []);
    const [, json = ""] = linesOf(true, "--log-format", "json");
    assertEquals(JSON.parse(json).message, "It is …");
    assertEquals(linesOf(false).at(-1)?.startsWith("<"), false);
    assertStringIncludes(linesOf(false, "--log-level", "debug").at(-1) ?? "", "agent: x");
    for (const isShown of [true, false]) {
      using _terminal = replaced(Deno.stderr, { isTerminal: () => isShown });
      const [notice = ""] = linesOf(false);
      assertEquals(notice.includes("\x1b["), isShown && !Deno.noColor);
    }
    return Promise.resolve();
  });
});

/** What goes to a stream that takes three bytes at a time, as a pipe may. */
function written(stream: typeof Deno.stdout, write: () => void): string {
  let text = "";
  using _slow = replaced(stream, {
    writeSync(bytes: Uint8Array) {
      const part = bytes.subarray(0, 3);
      text += String.fromCharCode(...part);
      return part.length;
    },
  });
  write();
  return new TextDecoder().decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0)));
}

Deno.test("print() and printError() write all bytes, nothing that acts on a terminal, and outlive a closed pipe", () => {
  const table = [[Deno.stdout, print, ""], [Deno.stderr, printError, "\n"]] as const;
  for (const [stream, write, end] of table) {
    const text = written(stream, () => write("plain \x1b[2J令牌"));
    assertEquals([text.includes("\x1b"), text.endsWith(`令牌${end}`)], [false, true], text);
    const writeSync = () => {
      throw new Deno.errors.BrokenPipe();
    };
    using _closed = replaced(stream, { writeSync });
    write("more");
  }
});

Deno.test("outputWithout() prints no secret, also one that became known later, before it translates", () => {
  const secrets: string[] = [];
  const output = outputWithout(secrets, (english) => english.replace("token", "令牌"));
  secrets.push("s3cret-token");
  const text = "s3cret-token is a token";
  assertEquals(written(Deno.stdout, () => output.print(text)), "… is a 令牌");
  assertEquals(written(Deno.stderr, () => output.printError(text)), "… is a 令牌\n");
});

Deno.test("explainError() says how to give the runtime's rights, and leaves out the causes of a mistake", async () => {
  const cause = new Deno.errors.NotCapable("Requires read access");
  await same(explainError, [
    [
      new Error("Cannot open x", { cause }),
      "Cannot open x: Requires read access; run it with --allow-all",
    ],
    [cause, "Requires read access; run it with --allow-all"],
    [new Error("Cannot open x"), "Cannot open x"],
    [new UsageError("Cannot use x", { cause: new Error("y") }), "Cannot use x"],
  ]);
});
