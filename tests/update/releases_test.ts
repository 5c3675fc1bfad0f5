import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Downloads } from "../../lib/update/download.ts";
import { findRelease, mirroredUrl, type ReleaseQuery } from "../../lib/update/releases.ts";
import { ReleaseKeys } from "./release_keys.ts";
import { ReleaseServer } from "./release_server.ts";
import { testsWith } from "../tests_with.ts";

const DOWNLOADS = new Downloads({ proxies: {}, caCerts: [] });
const { signal } = new AbortController();
const QUERY: ReleaseQuery = {
  url: "",
  repository: "o/n",
  mirror: "",
  publicKey: "",
  currentVersion: "1.2.3",
  failed: [],
};

const withServer = testsWith(() => new ReleaseServer());

withServer.test("findRelease() decides by the current and the failed versions", async (server) => {
  server.publish("1.3.0", "");
  const decision = async (currentVersion: string, failed: string[] = []) => {
    const { url, keys: { publicKey } } = server;
    const question = { ...QUERY, url, publicKey, currentVersion, failed };
    return (await findRelease(question, { downloads: DOWNLOADS, signal })).decision;
  };
  assertEquals(await decision("1.2.9"), "newer");
  assertEquals(await decision("1.3.0-rc.1"), "newer");
  assertEquals(await decision("1.3.0"), "not newer");
  assertEquals(await decision("2.0.0"), "not newer");
  assertEquals(await decision("1.2.9", ["1.2.8", "1.3.0"]), "failed before");
});

/** A query for the releases on the server, as on a mirror of GitHub. */
function mirrored({ origin, keys: { publicKey } }: ReleaseServer): ReleaseQuery {
  return { ...QUERY, mirror: origin, publicKey };
}

const GITHUB = "/https://github.com/o/n/releases";

withServer.test("findRelease() asks no API, but the signed list of checksums for its version", async (server) => {
  server.publish("1.3.0", "the program");
  const found = await findRelease(mirrored(server), { downloads: DOWNLOADS, signal });
  assertEquals([found.version, found.decision], ["1.3.0", "newer"]);
  assertEquals(found.urlOf("x"), `${server.origin}${GITHUB}/download/v1.3.0/x`);
  assertEquals(
    server.requestedPaths,
    ["SHA256SUMS", "SHA256SUMS.sig"].map((name) => `${GITHUB}/latest/download/${name}`),
  );
});

withServer.test("findRelease() finds a version by its exact name, and no other under that", async (server) => {
  server.publish("1.1.0", "the program");
  const find = async (wanted: string, more: Partial<ReleaseQuery> = {}) => {
    const query = { ...mirrored(server), wanted, ...more };
    return (await findRelease(query, { downloads: DOWNLOADS, signal })).decision;
  };
  assertEquals(await find("1.1.0"), "older");
  assertEquals(await find("1.1.0", { currentVersion: "1.0.0" }), "newer");
  assertEquals(await find("1.1.0", { currentVersion: "1.1.0" }), "not newer");
  assertEquals(await find("1.1.0", { failed: ["1.1.0"] }), "failed before");
  await assertRejects(() => find("1.2.0"), Error, "Cannot download");
  // A mirror that gives the newest release for any.
  const newest = (name: string) => () => fetch(`${server.url}/${name}`);
  server.faults = {
    answer: {
      "v1.2.0/SHA256SUMS.sig": newest("SHA256SUMS.sig"),
      "v1.2.0": newest("SHA256SUMS"),
    },
  };
  const why = 'Cannot find version 1.2.0: the server offers "1.1.0"';
  await assertRejects(() => find("1.2.0"), Error, why);
});

withServer.test("findRelease() takes a version of --update-url beside its newest one, if it names others", async (server) => {
  server.publish("1.1.0", "the program");
  const query = { ...QUERY, url: server.url, publicKey: server.keys.publicKey, wanted: "1.1.0" };
  const found = await findRelease(query, { downloads: DOWNLOADS, signal });
  assertEquals(found.decision, "older");
  assertEquals(found.urlOf("x"), `${server.origin}/releases/download/v1.1.0/x`);
  const url = `${server.origin}/files`;
  await assertRejects(
    () => findRelease({ ...query, url }, { downloads: DOWNLOADS, signal }),
    Error,
    "--update-url does not end with /latest/download",
  );
});

withServer.test("findRelease() refuses a list that is not signed, or names no version", async (server) => {
  server.publish("1.3.0", "the program");
  const find = () => findRelease(mirrored(server), { downloads: DOWNLOADS, signal });
  const table = [
    [{ sums: "0".repeat(64) + "  komari-agent-deno-portable\n" }, "SHA256SUMS names no version"],
    [{ signature: new ReleaseKeys().sign("another") }, "is not signed with the key"],
    [
      { answer: { "SHA256SUMS": () => new Response("<html>") } },
      "the mirror answers a page of HTML \u2192 correct --mirror",
    ],
  ] as const;
  for (const [faults, words] of table) {
    server.faults = faults;
    await assertRejects(find, Error, words);
  }
});

const MIRROR = "https://mirror.example.com/gh";
const FILE = "https://github.com/o/n/releases/download/v1/x";

Deno.test("mirroredUrl() prefixes GitHub's addresses alone, and none without a mirror", () => {
  const ofGithub = "api.github.com/repos/o/n/releases/latest objects.githubusercontent.com/x " +
    "GITHUB.com/x";
  for (const url of [FILE, ...ofGithub.split(" ").map((it) => `https://${it}`)]) {
    assertEquals(mirroredUrl(url, MIRROR), `${MIRROR}/${url}`);
  }
  const others = "releases.example.com/x github.com.example.com/x notgithub.com/x " +
    "example.com/https://github.com/x";
  for (const url of others.split(" ").map((it) => `https://${it}`)) {
    assertEquals(mirroredUrl(url, MIRROR), url);
  }
  assertEquals(mirroredUrl(FILE, ""), FILE);
});

Deno.test("mirroredUrl() never repeats the prefix", () => {
  const once = `${MIRROR}/${FILE}`;
  assertEquals(mirroredUrl(once, MIRROR), once);
  assertEquals(mirroredUrl(`${MIRROR}/${once}`, MIRROR), once);
  // The mirror's own addresses are not those of what lies behind it.
  assertEquals(mirroredUrl(`${MIRROR}/releases/x`, MIRROR), `${MIRROR}/releases/x`);
  fc.assert(fc.property(fc.webUrl(), fc.nat(3), (url, times) => {
    const before = `${MIRROR}/`.repeat(times) + url;
    const once = mirroredUrl(before, MIRROR);
    assertEquals(mirroredUrl(once, MIRROR), once);
  }));
});
