import { assertEquals, assertRejects } from "@std/assert";
import { Downloads } from "../../lib/update/download.ts";
import { findRelease, mirroredUrl, type ReleaseQuery } from "../../lib/update/releases.ts";
import { ReleaseServer } from "./release_server.ts";
import { cases, sameLater } from "../cases.ts";
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

/** A query for the releases on the server, as on a mirror of GitHub. */
function mirrored({ origin, keys: { publicKey } }: ReleaseServer): ReleaseQuery {
  return { ...QUERY, mirror: origin, publicKey };
}

const GITHUB = "/https://github.com/o/n/releases";
const find = (query: ReleaseQuery) => findRelease(query, { downloads: DOWNLOADS, signal });

withServer.test("findRelease() asks no API, but the signed list of checksums, and decides by the current and the failed versions", async (server) => {
  server.publish("1.3.0", "the program");
  const { version, urlOf } = await find(mirrored(server));
  assertEquals([version, urlOf("x")], ["1.3.0", `${server.origin}${GITHUB}/download/v1.3.0/x`]);
  assertEquals(
    server.requestedPaths,
    ["SHA256SUMS", "SHA256SUMS.sig"].map((name) => `${GITHUB}/latest/download/${name}`),
  );
  const decision = async (text: string) => {
    const [currentVersion = "", wanted, failed = ""] = text.split(" ");
    const query = { ...mirrored(server), currentVersion, failed: failed.split(",") };
    return (await find(wanted ? { ...query, wanted } : query)).decision;
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
  const wanting = { ...mirrored(server), wanted: "1.2.0" };
  await assertRejects(() => find(wanting), Error, "Cannot download");
  // A mirror that gives the newest release for any.
  const newest = (name: string) => () => fetch(`${server.url}/${name}`);
  server.faults = {
    answer: {
      "v1.2.0/SHA256SUMS.sig": newest("SHA256SUMS.sig"),
      "v1.2.0": newest("SHA256SUMS"),
    },
  };
  const why = 'Cannot find version 1.2.0: the server offers "1.1.0"';
  await assertRejects(() => find(wanting), Error, why);
  const own = { ...wanting, mirror: "", url: server.url, wanted: "1.1.0" };
  const { decision, urlOf } = await find(own);
  assertEquals([decision, urlOf("x")], ["older", `${server.origin}/releases/download/v1.1.0/x`]);
  const url = `${server.origin}/files`;
  const notNamed = "--update-url does not end with /latest/download";
  await assertRejects(() => find({ ...own, url }), Error, notNamed);
});

withServer.test("findRelease() says that a server answers a page", async (server) => {
  server.publish("1.3.0", "the program");
  server.faults = { answer: { "SHA256SUMS": () => new Response("<html>") } };
  const why = "answers a page of HTML \u2192 correct --mirror or --update-url";
  await assertRejects(() => find(mirrored(server)), Error, why);
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
  assertEquals(mirroredUrl(`${MIRROR}/${MIRROR}/${FILE}`, MIRROR), `${MIRROR}/${FILE}`, "once");
});
