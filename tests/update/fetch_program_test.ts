import { assertEquals } from "@std/assert";
import { Downloads } from "../../lib/update/download.ts";
import { fetchProgram } from "../../lib/update/fetch_program.ts";
import { ProgramFiles } from "../../lib/update/program_files.ts";
import { programOf, ReleaseServer, sha256 } from "./release_server.ts";
import { TempFolder } from "../temp_folder.ts";

/** Downloads whose limits can be seen. */
class SeenDownloads extends Downloads {
  readonly limits: number[] = [];

  override file(url: string, options: Parameters<Downloads["file"]>[1]): Promise<void> {
    this.limits.push(options.maxBytes);
    return super.file(url, options);
  }
}

Deno.test("fetchProgram() takes the mode of the program, and at most what the release states", async () => {
  await using server = new ReleaseServer();
  server.publish("1.3.0", programOf("1.3.0"));
  using folder = new TempFolder();
  const path = `${folder.path}/agent`;
  await Deno.writeTextFile(path, "one", { mode: 0o750 });
  const names = ["komari-agent-deno-portable", "SHA256SUMS", "SHA256SUMS.sig"];
  const downloads = new SeenDownloads({ proxies: {}, caCerts: [] });
  const files = new Map(names.map((name) => [name, `${server.origin}/files/${name}`]));
  const wanted = {
    target: "portable",
    version: "1.3.0",
    publicKey: server.keys.publicKey,
    files: new ProgramFiles(path),
    downloads,
    signal: new AbortController().signal,
  };
  const hash = await fetchProgram(files, wanted);
  assertEquals(hash, sha256(new TextEncoder().encode(programOf("1.3.0"))));
  assertEquals(downloads.limits, [programOf("1.3.0").length]);
  // A list of one's own may state no size.
  server.faults = { sums: `${hash}  komari-agent-deno-portable\n` };
  await fetchProgram(files, wanted);
  assertEquals(downloads.limits.slice(1), [536_870_912]);
  assertEquals((Deno.statSync(`${path}.new`).mode ?? 0) & 0o7777, 0o750);
});
