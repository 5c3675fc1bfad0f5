import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { lookupVariable } from "../../lib/parse/os_release.ts";
import { same } from "../cases.ts";

const table = [
  ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"', "Debian GNU/Linux 12 (bookworm)"],
  ["PRETTY_NAME='Arch Linux'", "Arch Linux"],
  ["PRETTY_NAME=Gentoo", "Gentoo"],
  ["PRETTY_NAME=Alpine\\ Linux", "Alpine Linux"],
  ["  PRETTY_NAME=Gentoo\r", "Gentoo"],
  [`PRETTY_NAME="A \\"quoted\\" \\$name \\\\ \\n"`, `A "quoted" $name \\ \\n`],
  [`PRETTY_NAME='no \\ escape'`, "no \\ escape"],
  [`PRETTY_NAME="it's"`, "it's"],
  ['PRETTY_NAME="cut off', "cut off"],
  ["PRETTY_NAME=a=b", "a=b"],
  ['PRETTY_NAME="yes" # tail', "yes"],
  ["PRETTY_NAME='yes'\t# tail", "yes"],
  ['PRETTY_NAME="a # b"', "a # b"],
  ["PRETTY_NAME=Model #2", "Model #2"],
  ["PRETTY_NAME=Void\\ Linux # x", "Void Linux"],
  ['PRETTY_NAME="a"#b', "a"],
  ["PRETTY_NAME=\\", undefined],
  ['PRETTY_NAME=""', undefined],
  ["PRETTY_NAME=", undefined],
  ["PRETTY_NAME", undefined],
  ["#PRETTY_NAME=x", undefined],
  ["MY_PRETTY_NAME=x", undefined],
  ["PRETTY_NAME_2=x", undefined],
] as const;
Deno.test("lookupVariable() reads a value as a shell does, of the last of several lines", async () => {
  await same((line) => lookupVariable(`ID=x\n${line}\nVERSION_ID="1"\n`, "PRETTY_NAME"), table);
  assertEquals(lookupVariable("NAME=one\nNAME=two\n", "NAME"), "two");
});

Deno.test("lookupVariable() reads back what a shell would quote, and never throws", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    const value = text.replace(/\s/g, " ").trim();
    const quoted = `"${value.replace(/["\\$`]/g, "\\$&")}"`;
    assertEquals(lookupVariable(`A=1\nNAME=${quoted}\nB=2`, "NAME"), value || undefined);
    lookupVariable(text, "NAME");
    lookupVariable(`NAME=${text}`, "NAME");
  }));
});
