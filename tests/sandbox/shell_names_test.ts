import { assert, assertEquals } from "@std/assert";
import { hasOwnMounts, ownMounts } from "../own_mounts.ts";
import { TempFolder } from "../temp_folder.ts";
import { onlyIf } from "../only_on.ts";
import { ofPrograms, printedBy, scriptAnswers, SHELLS, TestShell } from "./test_shell.ts";

/** A shell whose `getent` is a script; it has the system's other programs. */
function withGetent(getent: string, shell: readonly [string, ...string[]]): TestShell {
  return new TestShell({ shell, programs: { getent }, hasSystems: true });
}

for (const shell of SHELLS) {
  const name = shell.join(" ");

  Deno.test(`Shell.lookUp() gives each address once under ${name}, in getent's order`, async () => {
    const script = `
[ "$*" = "ahosts panel-1.example_x.org" ] || [ "$*" = "-s files ahosts known" ] || exit 2
echo "2001:db8::2      STREAM panel.example.org"
echo "2001:db8::2      DGRAM"
echo "2001:db8::2      RAW"
echo "192.0.2.1        STREAM"
echo "192.0.2.1        DGRAM"
echo "fe80::1%eth0     STREAM"
echo '$(touch x)       STREAM'
echo "nonsense"
printf "192.0.2.2      STREAM\\n"
`;
    await using opened = withGetent(script, shell);
    const found = ["2001:db8::2", "192.0.2.1", "192.0.2.2"];
    assertEquals(await opened.lookUp("panel-1.example_x.org"), found);
    assertEquals(await opened.lookUpHosts("known"), found);
    assertEquals(await opened.lookUpHosts("unknown"), []);
    assertEquals(await opened.lookUp("unknown"), []);
    assertEquals(await opened.canLookUp(), false);
  });

  Deno.test(`Shell.lookUp() gives getent 2 s of CPU under ${name}, and needs no IPv4`, async () => {
    const script = 'echo "192.0.2.$(ulimit -t) STREAM"';
    const mapped = '[ "$2" = 127.0.0.1 ] && exec echo "::ffff:127.0.0.1 STREAM $2"';
    await using opened = withGetent(`${mapped}\n${script}`, shell);
    assertEquals(await opened.canLookUp(), true);
    assertEquals(await opened.lookUp("a.example"), ["192.0.2.2"]);
    assertEquals(await opened.lookUpHosts("a.example"), ["192.0.2.2"]);
  });

  Deno.test(`Shell.lookUp() bounds the answer of a babbling getent under ${name}`, async () => {
    await using opened = withGetent(
      'i=0; while :; do i=$((i+1)); echo "192.0.2.$((i % 256)) STREAM"; done',
      shell,
    );
    assertEquals((await opened.lookUp("a.example"))?.length, 32);
    assert(await opened.countProcesses() > 0, "the pipe is intact");
  });

  Deno.test(`Shell.lookUp() resolves 64 names at a time under ${name}`, async () => {
    // Each waits until all have come, or says that the last one did not.
    const script = `
[ "$2" = quick ] && { echo "192.0.2.9 STREAM"; exit; }
cd "\${0%/*}" && : >"$2.asked"
until [ -e go ]; do sleep 0.02; done
echo "192.0.2.1 STREAM"
`;
    await using opened = withGetent(script, shell);
    const asked = Array.from({ length: 64 }, (_, index) => opened.lookUp(`host${index}`));
    const seen = () => [...Deno.readDirSync(opened.folder)].length - 1;
    while (seen() < 64) await new Promise((resolve) => setTimeout(resolve, 5));
    const oneMore = opened.lookUp("quick");
    assert(await opened.countProcesses() > 0);
    Deno.writeTextFileSync(`${opened.folder}/go`, "");
    assertEquals(new Set((await Promise.all(asked)).flat()), new Set(["192.0.2.1"]));
    assertEquals(await oneMore, ["192.0.2.9"]);
  });
}

/** A resolv.conf with three servers that are asked, one that is not, and lines of other kinds. */
const RESOLV_CONF = `search a.example
# nameserver 192.0.2.9
nameserver 192.0.2.1
nameserver $(touch x)
nameserver
nameserver fe80::1%eth0
nameserver 2001:db8::53
options timeout:1
nameserver 192.0.2.3
nameserver 192.0.2.4
`;

onlyIf(hasOwnMounts).test(
  "Shell.lookUp() tells the system's name servers with a name that has no address",
  async () => {
    using folder = new TempFolder();
    Deno.writeTextFileSync(`${folder.path}/resolv.conf`, RESOLV_CONF);
    const through = ownMounts(`mount --bind ${folder.path}/resolv.conf /etc/resolv.conf`);
    for (const shell of SHELLS) {
      const script = '[ "$2" = known ] && echo "192.0.2.7 STREAM"';
      await using opened = withGetent(script, [...through, ...shell]);
      assertEquals(await opened.lookUp("known"), ["192.0.2.7"]);
      assertEquals(opened.nameServers, undefined);
      assertEquals(await opened.lookUp("unknown"), []);
      assertEquals(opened.nameServers, ["192.0.2.1", "2001:db8::53", "192.0.2.3"]);
    }
  },
);

Deno.test("Shell.lookUp() takes the resolver's variables of the agent, and no others", async () => {
  const variables = "$RES_OPTIONS,$LOCALDOMAIN,$AGENT_TOKEN";
  const getent = `[ "${variables}" = "ndots:2,a.example," ] && echo "192.0.2.1 STREAM"`;
  using folder = ofPrograms({ getent });
  const code = `
const shell = new Shell({ proc: "/proc", path: "${folder.path}:/usr/bin:/bin" });
console.log(await shell.lookUp("x"));
await shell.close();
`;
  const env = { RES_OPTIONS: "ndots:2", LOCALDOMAIN: "a.example", AGENT_TOKEN: "t0ken" };
  assertEquals(await printedBy(code, env), '[ "192.0.2.1" ]\n');
});

/** What an attacker would write into names. */
const PIECES = [
  ...["$(touch x)", "`touch x`", ";touch x", "|touch x", "&touch x&", ">x", "<x", "\\touch x"],
  ...["${IFS}", "$'\\n'", "\\", "'", '"', "*", "?", "[a-z]", "{a,b}", "~", "!", "#", "%s", "%n"],
  ...["\t", "\r", "\v", "\x01", "\x1b[2J", "\x7f", "\u00e9", "\u0430", "\u200b", "\u{1f600}"],
  ...["../", "/etc/passwd", "/", "@", ":", "=", ",", "+", "^", "$x", "$1", "$#", "$$", "$!"],
  ...[" x", " 127.0.0.1", " -s files x"],
];
const HARMLESS = ["", "a", "panel.example", "-", "--", "_", ".", "xn--", "0x7f.1", "127.0.0.1"];

/**
 * Names that are no names, the same at each call; none has a line feed. A tenth each are options and
 * too long, the others have something in them that is in no name.
 */
function hostileNames(count: number): string[] {
  let seed = 20261127;
  const below = (limit: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * limit);
  };
  const harmless = () => HARMLESS[below(HARMLESS.length)] ?? "";
  return Array.from({ length: count }, (_, index) => {
    if (index % 10 === 0) return `-${harmless()}${harmless()}`;
    if (index % 10 === 1) return "a".repeat(254 + below(20));
    // Blanks in front would be cut off.
    return `a${harmless()}${harmless()}${PIECES[below(PIECES.length)]}${harmless()}`;
  });
}

for (const shell of SHELLS) {
  Deno.test(`The script under ${shell.join(" ")} refuses hostile names`, async () => {
    const touch = ': >"${0%/*}/home/$$"';
    using programs = ofPrograms({ getent: touch, ping: touch, touch });
    const cwd = `${programs.path}/home`;
    Deno.mkdirSync(cwd);
    const requests = hostileNames(2_000).map((name, index) =>
      `${index + 1} ${index % 2 === 0 ? "resolve" : "hosts"} ${name}`
    );
    const answers = await scriptAnswers(shell, requests, { path: programs.path, cwd });
    assertEquals(answers, requests.map((_, index) => `${index + 1} refused`));
    assertEquals([...Deno.readDirSync(cwd)], []);
  });
}

Deno.test("Shell.lookUp() refuses 100,000 hostile names before the shell has seen them", async () => {
  await using opened = withGetent("touch called", ["/bin/sh"]);
  const odd = ["", "a\nb", "a\n2 ping 192.0.2.1", "a\0b"];
  for (const name of [...hostileNames(100_000), ...odd]) {
    let error: unknown;
    await opened.lookUp(name).catch((reason) => error = reason);
    assert(error instanceof TypeError, JSON.stringify(name));
  }
});
