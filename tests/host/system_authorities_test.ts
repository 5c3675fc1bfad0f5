import { assertEquals } from "@std/assert";
import { readSystemAuthorities } from "../../lib/host/system_authorities.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";

const made = await makeCertificate();
const authority = made?.authority ?? "";

inFolder.test("readSystemAuthorities() finds none where there are no folders, or they are empty", ({ path }) => {
  assertEquals(readSystemAuthorities([`${path}/none`, path]), []);
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
  const found = readSystemAuthorities([`${folder}/one`, `${folder}/two`]);
  assertEquals(found.map((it) => it.trim()), [authority.trim()]);
});

withOpenssl.test("readSystemAuthorities() leaves out what can't be used, and is bounded", ({ path: folder }) => {
  const write = (name: string, text: string) => Deno.writeTextFileSync(`${folder}/${name}`, text);
  const bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  write("a.crt", "nothing");
  write("b.crt", `${authority}${bad}`);
  write("c.crt", `${"x".repeat(64 * 1024)}${authority}`);
  Deno.symlinkSync("/dev/zero", `${folder}/d.crt`);
  assertEquals(readSystemAuthorities([folder]), []);
  write("e.crt", authority);
  assertEquals(readSystemAuthorities([folder]).length, 1);
});
