import { same } from "../cases.ts";
import { findSha256, signedSize, signedVersion } from "../../lib/update/checksums.ts";

const A = "0a".repeat(32);
const B = "0b".repeat(32);

Deno.test("findSha256() takes the sum of a whole file name, if there is one", async () => {
  const two = `${A}  agent-linux-amd64\n${B} *agent-linux-amd64.sig\n`;
  const of = ([sums, name]: readonly [string, string]) => findSha256(sums, name);
  await same(of, [
    [[two, "agent-linux-amd64"], A],
    [[two, "agent-linux-amd64.sig"], B],
    [[two, "agent"], undefined],
    [[`${A.toUpperCase()}  x\r\n${B}  y\r\n`, "x"], A],
    [[`${A}  x\n${B}  x\n`, "x"], undefined],
    [[`${A}  x\n${A}  x\n`, "x"], A],
    ...["", "<html>x</html>", `${A.slice(1)}  x`, `${A}x`, `${A}  `, ` ${A}  x`]
      .map((text) => [[text, "x"], undefined] as const),
  ]);
});

Deno.test("signedVersion() reads the line that names the version", async () => {
  await same(signedVersion, [
    [`#version=1.2.3\n${A}  x\n`, "1.2.3"],
    [`${A}  x\r\n#version=v1.2.3\r\n`, "1.2.3"],
    ["#version=1.2.3-rc.1\n", "1.2.3-rc.1"],
    [` #version=1.2.3\n${A}  #version=1.2.3\n`, undefined],
    ["#version=\n", undefined],
  ]);
});

Deno.test("signedSize() reads the line that states the size of a file", async () => {
  await same((sums: string) => signedSize(sums, "x"), [
    [`#version=1.2.3\n#size=17:x\n${A}  x\n`, 17],
    [`${A}  x\r\n#size=18:other\r\n#size=19:x\r\n`, 19],
    ["#size=20:xx\n#size=21:\n", undefined],
    [" #size=22:x\n#size=x:x\n#size=:x\n#size=-1:x\n#size=1234567890123:x\n", undefined],
    ["", undefined],
  ]);
});
