import { assertEquals } from "@std/assert";
import { readSystemAuthorities } from "../../lib/host/system_authorities.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";

const made = await makeCertificate();
const authority = made?.authority ?? "";

inFolder.test("readSystemAuthorities() finds none where there are no folders, or they are empty", ({ path }) => {
  const none = { certificates: [], files: [], ignored: [] };
  assertEquals(readSystemAuthorities([`${path}/none`, path]), none);
});

const withOpenssl = testsWith(() => new TempFolder(), { ignore: made === undefined });

withOpenssl.test("readSystemAuthorities() reads the certificates of each folder, once each", ({ path: folder }) => {
  Deno.mkdirSync(`${folder}/one/deeper/still/beyond`, { recursive: true });
  for (const path of ["still/c.crt", "still/beyond/d.crt"]) {
    Deno.writeTextFileSync(`${folder}/one/deeper/${path}`, authority);
  }
  Deno.mkdirSync(`${folder}/two`);
  Deno.writeTextFileSync(`${folder}/one/deeper/b.crt`, authority);
  Deno.writeTextFileSync(`${folder}/one/README`, "no certificate");
  Deno.writeTextFileSync(`${folder}/two/a.pem`, `# A comment\n${authority}`);
  const { certificates, files, ignored } = readSystemAuthorities([
    `${folder}/one`,
    `${folder}/two`,
  ]);
  assertEquals(certificates.map((it) => it.trim()), [authority.trim()]);
  assertEquals(files, [
    ...[`${folder}/one/deeper/b.crt`, `${folder}/one/deeper/still/c.crt`],
    `${folder}/two/a.pem`,
  ]);
  assertEquals(ignored, []);
});

withOpenssl.test("readSystemAuthorities() leaves out what can't be used, and is bounded", ({ path: folder }) => {
  const write = (name: string, text: string) => Deno.writeTextFileSync(`${folder}/${name}`, text);
  write("a.crt", "nothing");
  write("b.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  write("c.crt", "x".repeat(65 * 1024));
  Deno.symlinkSync("/dev/zero", `${folder}/d.crt`);
  write("e.crt", authority);
  write("f.crt", authority.repeat(32));
  const { certificates, files, ignored } = readSystemAuthorities([folder]);
  assertEquals(certificates.length, 1);
  assertEquals(files, [`${folder}/e.crt`]);
  assertEquals(ignored.map(({ file, reason }) => [file.slice(-5), reason]), [
    ["a.crt", "there is no certificate in PEM in it"],
    ["b.crt", "it has a certificate that can't be used"],
    ["c.crt", "larger than 64 KiB"],
    ["f.crt", "more than 32 authorities"],
  ]);
});
