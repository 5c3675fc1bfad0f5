import { assert, assertEquals, assertRejects } from "@std/assert";
import { updateProgram } from "../../lib/cli/update.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import type { ProgramForm } from "../../lib/host/this_program.ts";
import { StateFile } from "../../lib/state/state_file.ts";
import { FolderLock } from "../../lib/state/state_lock.ts";
import {
  formatUpdateState,
  parseUpdateState,
  UPDATE_STATE,
  updateFolder,
  type UpdateState,
} from "../../lib/state/update_state.ts";
import { VERSION } from "../../lib/version.ts";
import { programOf, ReleaseServer, sha256 } from "../update/release_server.ts";
import { ownPlaces } from "../own_places.ts";
import { openHealth } from "../state/health_folder.ts";
import { withTexts } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { writeExecutable } from "../executable.ts";
import { collectedLog } from "../log/collected_log.ts";
import { inContainerImage } from "../service/container_image.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { testsWith } from "../tests_with.ts";

/** A server with a release of this version, and the options that name it and its key. */
function releases(version: string): ReleaseServer & { readonly place: readonly string[] } {
  const server = new ReleaseServer();
  server.publish(version, programOf(version));
  const place = ["--update-url", server.url, "--update-key", server.keys.publicKey];
  return Object.assign(server, { place });
}

/** Runs the command for a program of this version in a folder of its own, after earlier updates. */
async function run(
  args: readonly string[],
  { form = "portable", state, byLink = false, prepare = () => {} }: {
    form?: ProgramForm;
    state?: UpdateState;
    /** What is there before, by the path of the program. */
    prepare?: (path: string) => void;
    /** Whether it is started by a link in another folder. */
    byLink?: boolean;
  } = {},
): Promise<{ text: string; code: number; names: string[]; isLinkKept: boolean }> {
  using folder = new TempFolder();
  const path = `${folder.path}/agent`;
  writeExecutable(path, programOf(VERSION));
  if (state !== undefined) {
    const options = { name: UPDATE_STATE, parse: parseUpdateState };
    using file = new StateFile(updateFolder(path), options);
    await file.open();
    await file.write(formatUpdateState(state));
  }
  using home = new TempFolder();
  const config = configOf(["update", ...args], ownPlaces(home.path));
  const context = new FakeContext();
  const link = `${folder.path}/bin/agent`;
  if (byLink) {
    Deno.mkdirSync(`${folder.path}/bin`);
    Deno.symlinkSync(path, link);
  }
  const program = { form, path: byLink ? link : path };
  prepare(Deno.realPathSync(path));
  const code = await updateProgram(config, program, context);
  const names = Array.from(Deno.readDirSync(folder.path), ({ name }) => name).sort();
  const isLinkKept = !byLink || Deno.lstatSync(link).isSymlink;
  return { text: context.printed, code, names, isLinkKept };
}

Deno.test("updateProgram() throws for --check with --now, and where there is no release address", async () => {
  await assertRejects(() => run(["--check", "--now"]), UsageError, "--check and --now");
  await assertRejects(() => run([]), Error, "use --update-url URL");
});

const withReleases = testsWith(() => releases("999.0.0"));

withReleases.test("updateProgram() checks for updates of sources but refuses to install them", async ({ place }) => {
  await assertRejects(() => run([...place, "--now"], { form: "source" }), Error, "git");
  const { text, code, names } = await run(place, { form: "source" });
  const expected =
    `Version 999.0.0 is available, ${VERSION} is installed: "update --now" installs it\n`;
  assertEquals([text, code, names], [expected, 0, ["agent"]]);
});

withReleases.test("updateProgram() takes no release without a key", async (server) => {
  const place = ["--update-url", server.url];
  for (const args of [place, [...place, "--now"]]) {
    await assertRejects(() => run(args), Error, "no key to verify releases with");
  }
  const key = ["--update-key", server.keys.publicKey];
  await assertRejects(() => run([...key, "--now"]), UsageError, "without --update-url");
  await assertRejects(() => run([...place, "--update-key", "x"]), UsageError, "Ed25519");
});

withReleases.test("updateProgram() says of each release what it is and what to do", async (server) => {
  const { place } = server;
  const table: [tag: string, sentence: string, verdict: string][] = [
    ["999.0.0", `Version 999.0.0 is available, ${VERSION} is installed: `, "newer"],
    ["0.0.1", `Version ${VERSION} is up to date: the latest release is 0.0.1`, "not newer"],
    [
      "999.0.0-rc.1",
      `Version ${VERSION} is installed; the latest release, 999.0.0-rc.1, is not stable`,
      "not stable",
    ],
  ];
  for (const [tag, sentence, verdict] of table) {
    server.publish(tag, programOf("999.0.0"));
    const { text, code } = await run(place);
    assertEquals([text.startsWith(sentence), code], [true, 0], text);
    const shown = JSON.parse((await run([...place, "--check", "--json"])).text);
    assertEquals([shown.present, shown.verdict], [VERSION, verdict]);
    assertEquals(shown.newest, tag);
  }
  server.publish(VERSION, programOf(VERSION));
  const { text, names } = await run([...place, "--now", "--json"]);
  const expected = { outcome: "nothing", present: VERSION, newest: VERSION, verdict: "not newer" };
  assertEquals([JSON.parse(text), names], [expected, ["agent", "agent.update"]]);
});

withReleases.test("updateProgram() does not offer a version again that failed within a week", async ({ place }) => {
  const week = 7 * 24 * 60 * 60_000;
  for (const [agoMs, again] of [[week - 60_000, false], [week + 60_000, true]] as const) {
    const failed = [{ version: "999.0.0", atMs: Date.now() - agoMs }];
    for (const byLink of [false, true]) {
      const { text } = await run(place, { state: { trial: undefined, failed }, byLink });
      assertEquals(text.includes("but failed on this machine within a week"), !again, text);
      assertEquals(text.includes('"update --now" installs it'), again, text);
    }
  }
});

withReleases.test("updateProgram() replaces a program whose agent does not run", async (server) => {
  const { place } = server;
  const done = await run([...place, "--now"]);
  const expected = `Version 999.0.0 replaced ${VERSION}; no agent was running\n`;
  assertEquals([done.text, done.code], [expected, 0]);
  const asJson = await run([...place, "--now", "--json"]);
  assertEquals(JSON.parse(asJson.text), { outcome: "installed", from: VERSION, to: "999.0.0" });
  const linked = await run([...place, "--now"], { byLink: true });
  assertEquals([linked.text, linked.isLinkKept], [expected, true]);
  assert(linked.names.includes("agent.old"), "the program is replaced, not the link to it");
});

withReleases.test("updateProgram() warns of a version that is rolled back, and only of that", async ({ place }) => {
  const levelsOf = async (state?: UpdateState): Promise<string[]> => {
    const lines = await collectedLog(async () => void await run([...place, "--now"], { state }));
    return [...new Set(lines.map((line) => line.split(" ")[1] ?? ""))];
  };
  assertEquals(await levelsOf(), ["info"]);
  const versions = { from: "1.2.3", to: "1.3.0", sha256: "0".repeat(64) };
  const trial = { ...versions, resumes: 0, isReturning: true };
  const failed = [{ version: "1.3.0", atMs: Date.now() }];
  assertEquals(await levelsOf({ trial, failed }), ["warning"]);
  const { text, code } = await run([...place, "--now"], { state: { trial, failed } });
  const expected = "Version 1.3.0 did not report within a minute: 1.2.3 is installed again, and " +
    "1.3.0 will not be tried again within a week\n";
  assertEquals([text, code], [expected, 1]);

  // One that was interrupted too often.
  const old = programOf("0.0.9");
  const interrupted = {
    ...{ from: "0.0.9", to: VERSION, resumes: 2, isReturning: false },
    sha256: sha256(new TextEncoder().encode(programOf(VERSION))),
  };
  const lines = await collectedLog(async () => {
    await run([...place, "--now"], {
      state: { trial: interrupted, failed: [] },
      prepare: (path) => writeExecutable(`${path}.old`, old),
    });
  });
  assertEquals(lines.map((line) => line.split(" ")[1]), ["warning", "warning"], lines.join("\n"));
});

/** Requires that an update is refused in these words. */
async function requireRefusal(words: string, options?: Parameters<typeof run>[1]): Promise<void> {
  await using server = releases("999.0.0");
  const { place } = server;
  await assertRejects(() => run([...place, "--now"], options), Error, words);
}

Deno.test("updateProgram() refuses to update in the container image", async () => {
  await inContainerImage(() => requireRefusal("Cannot update in a container: use a newer image"));
});

Deno.test("updateProgram() refuses to update beside another update", async () => {
  using locks = new DisposableStack();
  const prepare = (path: string) =>
    assertEquals(locks.use(FolderLock.open(updateFolder(path))).tryLock(), true);
  await requireRefusal("another update is in progress", { prepare });
});

Deno.test("updateProgram() refuses to update a service that is pinned or runs this update, unless it is another program's", async () => {
  let record: object = {};
  using _record = withTexts((path) =>
    path.endsWith("/agent/install.json") ? JSON.stringify(record) : undefined
  );
  using runtime = new TempFolder();
  const pinnedBy = (program?: string, pinned = "1.2.3") => (path: string) => {
    record = {
      ...{ service: "agent", manager: "systemd", scope: "system", user: "", pinned },
      ...{ createdUser: false, enabledLinger: "" },
      ...{ config: "/x/config.json", stateFolder: "/x/state", runtimeFolder: runtime.path },
      ...{ logFile: "/x/log", files: [], links: [], folders: [], trees: [], rootOptions: {} },
      program: program ?? path,
    };
  };
  const words = "the service is pinned to version 1.2.3; `install --unset pin` ends that";
  await requireRefusal(words, { prepare: pinnedBy() });
  await using server = releases("999.0.0");
  const other = { prepare: pinnedBy("/usr/bin/env") };
  const { code, text } = await run([...server.place, "--now"], other);
  assertEquals([code, text.startsWith("Version 999.0.0 replaced")], [0, true]);
  // Its agent is known by the runtime folder of the service.
  using _agent = openHealth(runtime.path);
  await requireRefusal("from within the agent's own service", { prepare: pinnedBy(undefined, "") });
});

Deno.test("updateProgram() goes back to an older version where it is asked for, and says what that means", async () => {
  await using server = releases("0.0.1");
  const { place } = server;
  const wanted = [...place, "--install-version", "0.0.1"];
  const { text } = await run(wanted);
  const expected = `Version 0.0.1 is available, and older than ${VERSION}: ` +
    '"update --now --install-version 0.0.1" installs it\n';
  assertEquals(text, expected);
  const done = await run([...wanted, "--now"]);
  assertEquals([done.code, done.text.split("\n")], [0, [
    `Version 0.0.1 replaced ${VERSION}; no agent was running`,
    "Automatic updates go on to newer versions; `install --pin` keeps this one",
    "",
  ]]);
});

withReleases.test("updateProgram() updates beside a state that is damaged, and warns; it checks where there is none", async ({ place }) => {
  const lines = await collectedLog(async () => {
    const { code } = await run([...place, "--now"], {
      state: { trial: undefined, failed: [] },
      prepare(path) {
        for (const { name } of Deno.readDirSync(updateFolder(path))) {
          if (!name.startsWith(UPDATE_STATE)) continue;
          Deno.writeTextFileSync(`${updateFolder(path)}/${name}`, "damaged");
        }
      },
    });
    assertEquals(code, 0);
  });
  assert(lines.some((line) => line.split(" ")[1] === "warning"));
  const prepare = (path: string) => Deno.writeTextFileSync(updateFolder(path), "no folder");
  const { code, text } = await run(place, { prepare });
  assertEquals([code, text.startsWith("Version 999.0.0 is available")], [0, true]);
});
