import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Downloads } from "../../lib/update/download.ts";
import {
  findRelease,
  mirroredUrl,
  parseRelease,
  type ReleaseQuery,
} from "../../lib/update/releases.ts";
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

withServer.test("findRelease() uses the mirror for the query and the files", async (server) => {
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
  const url = "https://api.github.com/repos/o/n/releases/latest";
  const found = await findRelease({ ...QUERY, url, mirror }, { downloads: DOWNLOADS, signal });
  assertEquals([found.version, found.decision], ["1.3.0", "newer"]);
  const expected = [`${mirror}/${file}`, `${mirror}/${file}`, "https://files.example/x"];
  assertEquals([...found.files.values()], expected);
  assertEquals(server.requestedPaths, ["/gh/https://api.github.com/repos/o/n/releases/latest"]);
});

withServer.test("findRelease() decides by the current and the failed versions", async (server) => {
  server.publish("1.3.0", "");
  const decision = async (currentVersion: string, failed: string[] = []) => {
    const question = { ...QUERY, url: server.url, currentVersion, failed };
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
  assertEquals([found.version, found.tag, found.decision], ["1.3.0", "v1.3.0", "newer"]);
  const names = ["komari-agent-deno-portable", "SHA256SUMS", "SHA256SUMS.sig"];
  const shown = [...found.files.values()];
  assertEquals(shown, names.map((name) => `${server.origin}${GITHUB}/download/v1.3.0/${name}`));
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
  const newest = (name: string) => () => fetch(`${server.origin}/files/${name}`);
  server.faults = {
    answer: {
      "v1.2.0/SHA256SUMS.sig": newest("SHA256SUMS.sig"),
      "v1.2.0": newest("SHA256SUMS"),
    },
  };
  const why = 'Cannot find version 1.2.0: the answer is about "v1.1.0"';
  await assertRejects(() => find("1.2.0"), Error, why);
});

withServer.test("findRelease() takes a version of --update-url by its tag", async (server) => {
  server.publish("1.1.0", "the program");
  server.faults = { answer: { "/tags/v1.1.0": () => fetch(server.url) } };
  const query = { ...QUERY, url: server.url, wanted: "1.1.0" };
  const found = await findRelease(query, { downloads: DOWNLOADS, signal });
  assertEquals(found.decision, "older");
  await assertRejects(
    () => findRelease({ ...query, url: `${server.url}?x` }, { downloads: DOWNLOADS, signal }),
    Error,
    "--update-url does not end with /latest",
  );
});

withServer.test("findRelease() refuses a list that is not signed, or names no version", async (server) => {
  server.publish("1.3.0", "the program");
  const find = () => findRelease(mirrored(server), { downloads: DOWNLOADS, signal });
  const table = [
    [{ sums: "0".repeat(64) + "  komari-agent-deno-portable\n" }, "SHA256SUMS names no version"],
    [{ signature: new ReleaseKeys().sign("another") }, "is not signed with the key"],
    [{ answer: { "SHA256SUMS": () => new Response("<html>") } }, "is not signed with the key"],
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

/** As the API answers, with fields that nobody here asks for. */
function answer(changes: Record<string, unknown> = {}): string {
  const release = { tag_name: "v1.2.3", draft: false, prerelease: false, body: "Notes" };
  return JSON.stringify({ ...release, assets: [asset()], ...changes });
}

function asset(changes: Record<string, unknown> = {}): Record<string, unknown> {
  const browser_download_url = "https://github.com/o/n/releases/download/v1.2.3/x";
  return { name: "komari-agent-deno-linux-amd64", size: 1234, browser_download_url, ...changes };
}

Deno.test("parseRelease() parses the tag and valid files, and knows drafts and pre-releases", () => {
  assertEquals(parseRelease(answer()), {
    tag: "v1.2.3",
    isPrerelease: false,
    files: new Map([
      ["komari-agent-deno-linux-amd64", "https://github.com/o/n/releases/download/v1.2.3/x"],
    ]),
  });
  assertEquals(parseRelease(answer({ draft: true })).isPrerelease, true);
  assertEquals(parseRelease(answer({ prerelease: true })).isPrerelease, true);
  const urls = ["file:///etc/passwd", "https://", undefined];
  const odd = [{ name: 1 }, ...urls.map((browser_download_url) => ({ browser_download_url }))];
  const assets = [...odd.map(asset), null, 1, "x", []];
  assertEquals(parseRelease(answer({ assets })).files, new Map());
  const many = Array.from({ length: 5000 }, (_, at) => asset({ name: `${at}` }));
  assertEquals(parseRelease(answer({ assets: many })).files.size, 200);
});

Deno.test("parseRelease() throws with the beginning of other text", () => {
  const fields = [{ assets: null }, { tag_name: 7 }, { tag_name: "v".repeat(101) }].map(answer);
  const others = ["", "<html>Not found</html>", "null", "[]", "{}", '{"message":"API rate limit"}'];
  assertEquals(parseRelease(answer({ tag_name: "v".repeat(100) })).tag.length, 100);
  for (const text of [...others, ...fields]) {
    assertThrows(() => parseRelease(text), SyntaxError, "it begins with");
  }
  const error = assertThrows(() => parseRelease("x".repeat(1000)), SyntaxError);
  assert(error.message.length < 200);
  fc.assert(fc.property(fc.json(), (json) => {
    try {
      parseRelease(json);
    } catch (error) {
      assert(error instanceof SyntaxError);
    }
  }));
});
