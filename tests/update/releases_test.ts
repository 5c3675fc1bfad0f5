import { assertEquals } from "@std/assert";
import { Downloads } from "../../lib/update/download.ts";
import { findRelease, latestReleaseUrl } from "../../lib/update/releases.ts";
import { ReleaseServer } from "./release_server.ts";

const DOWNLOADS = new Downloads({ proxies: {}, caCerts: [] });
const { signal } = new AbortController();

Deno.test("findRelease() uses the mirror for the query and the files", async () => {
  await using server = new ReleaseServer();
  const mirror = `${server.origin}/gh`;
  const file = "https://github.com/o/n/releases/download/v1.3.0/x";
  server.faults = {
    answer: {
      "/gh/": () =>
        Response.json({
          tag_name: "v1.3.0",
          assets: [file, `${mirror}/${file}`, "https://files.example/x"].map((url, index) => ({
            name: `${index}`,
            size: 1,
            browser_download_url: url,
          })),
        }),
    },
  };
  const question = { url: latestReleaseUrl("o/n"), mirror, currentVersion: "1.2.3", failed: [] };
  const found = await findRelease(question, { downloads: DOWNLOADS, signal });
  assertEquals([found.version, found.decision], ["1.3.0", "newer"]);
  assertEquals(found.files.map(({ url }) => url), [
    `${mirror}/${file}`,
    `${mirror}/${file}`,
    "https://files.example/x",
  ]);
  assertEquals(server.requestedPaths, ["/gh/https://api.github.com/repos/o/n/releases/latest"]);
});

Deno.test("findRelease() decides by the current and the failed versions", async () => {
  await using server = new ReleaseServer();
  server.publish("1.3.0", "");
  const decision = async (currentVersion: string, failed: string[] = []) => {
    const question = { url: server.url, mirror: "", currentVersion, failed };
    return (await findRelease(question, { downloads: DOWNLOADS, signal })).decision;
  };
  assertEquals(await decision("1.2.9"), "newer");
  assertEquals(await decision("1.3.0-rc.1"), "newer");
  assertEquals(await decision("1.3.0"), "not newer");
  assertEquals(await decision("2.0.0"), "not newer");
  assertEquals(await decision("1.2.9", ["1.2.8", "1.3.0"]), "failed before");
});
