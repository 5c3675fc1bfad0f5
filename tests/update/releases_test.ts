import { assertEquals, assertRejects } from "@std/assert";
import { Downloads } from "../../lib/update/download.ts";
import {
  findRelease,
  type FoundRelease,
  mirroredUrl,
  type ReleaseQuery,
} from "../../lib/update/releases.ts";
import { freePort } from "../free_port.ts";
import { ReleaseServer } from "./release_server.ts";
import { cases, sameLater } from "../cases.ts";
import { testsWith } from "../tests_with.ts";

const GITHUB = "/https://github.com/o/n/releases";
const withServer = testsWith(() => new ReleaseServer());

/** Looks for a release on the server, as on a mirror of GitHub. */
function find(
  { origin, keys: { publicKey } }: ReleaseServer,
  query: Partial<ReleaseQuery> = {},
): Promise<FoundRelease> {
  const downloads = new Downloads({ proxies: {}, caCerts: [] });
  const { signal } = new AbortController();
  const usual = { url: "", repository: "o/n", mirror: origin, publicKey, currentVersion: "1.2.3" };
  return findRelease({ ...usual, failed: [], ...query }, { downloads, signal });
}

withServer.test("findRelease() asks no API, but the signed list of checksums, and decides by the current and the failed versions", async (server) => {
  server.publish("1.3.0", "the program");
  const { version, urlOf } = await find(server);
  assertEquals([version, urlOf("x")], ["1.3.0", `${server.origin}${GITHUB}/download/v1.3.0/x`]);
  assertEquals(
    server.requestedPaths,
    ["SHA256SUMS", "SHA256SUMS.sig"].map((name) => `${GITHUB}/latest/download/${name}`),
  );
  const decision = async (text: string) => {
    const [currentVersion = "", wanted, failed = ""] = text.split(" ");
    const query = { currentVersion, wanted: wanted || undefined, failed: failed.split(",") };
    return (await find(server, query)).decision;
  };
  await sameLater(
    decision,
    cases(`
    1.2.9                    → newer
    1.3.0-rc.1               → newer
    1.3.0                    → not newer
    2.0.0                    → not newer
    1.2.9  1.2.8,1.3.0       → failed before
    2.0.0 1.3.0              → older
    1.2.9 1.3.0              → newer
    1.3.0 1.3.0              → not newer
    2.0.0 1.3.0 1.3.0        → failed before
    `),
  );
});

withServer.test("findRelease() finds no other version under a name, on a mirror or beside the newest of --update-url", async (server) => {
  server.publish("1.1.0", "the program");
  const wanted = "1.2.0";
  await assertRejects(() => find(server, { wanted }), Error, "Cannot download");
  // A mirror that gives the newest release for any.
  const newest = (name: string) => () => fetch(`${server.url}/${name}`);
  server.faults = {
    answer: {
      "v1.2.0/SHA256SUMS.sig": newest("SHA256SUMS.sig"),
      "v1.2.0": newest("SHA256SUMS"),
    },
  };
  const why = 'Cannot find version 1.2.0: the server offers "1.1.0"';
  await assertRejects(() => find(server, { wanted }), Error, why);
  const own = { mirror: "", url: server.url, wanted: "1.1.0" };
  const { decision, urlOf } = await find(server, own);
  assertEquals([decision, urlOf("x")], ["older", `${server.origin}/releases/download/v1.1.0/x`]);
  const url = `${server.origin}/files`;
  const notNamed = "--update-url does not end with /latest/download";
  await assertRejects(() => find(server, { ...own, url }), Error, notNamed);
});

withServer.test("findRelease() advises a mirror where none is used and the server can't be reached", async (server) => {
  const gone = `http://127.0.0.1:${freePort()}`;
  const isAdvised = (query: Partial<ReleaseQuery>) =>
    find(server, query).catch((error) => /name a mirror/.test(error.message));
  await sameLater(isAdvised, [[{ mirror: "", url: gone }, true], [{ mirror: gone }, false]]);
  await sameLater(isAdvised, [[{ mirror: "", url: server.origin }, false]]);
});

Deno.test("mirroredUrl() prefixes GitHub's addresses alone, and none without a mirror", () => {
  const mirror = "https://mirror.example.com/gh";
  const file = "https://github.com/o/n/releases/download/v1/x";
  const urls = (paths: string) => paths.split(" ").map((it) => `https://${it}`);
  for (
    const url of [file, ...urls("api.github.com/x objects.githubusercontent.com/x GITHUB.com/x")]
  ) {
    assertEquals(mirroredUrl(url, mirror), `${mirror}/${url}`);
  }
  const others = "releases.example.com/x github.com.example.com/x notgithub.com/x " +
    "example.com/https://github.com/x";
  for (const url of urls(others)) assertEquals(mirroredUrl(url, mirror), url);
  assertEquals(mirroredUrl(file, ""), file);
  assertEquals(mirroredUrl(`${mirror}/${mirror}/${file}`, mirror), `${mirror}/${file}`, "once");
});
