import { assertEquals } from "@std/assert";
import { UnconfirmedOutput } from "../../lib/remote/terminal.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const textFrom = (output: UnconfirmedOutput, place: number) =>
  new TextDecoder().decode(output.from(place));

Deno.test("UnconfirmedOutput keeps what is not confirmed, the last bytes up to the limit", () => {
  const output = new UnconfirmedOutput(8);
  output.add(bytes("abcd"));
  output.add(bytes("efgh"));
  output.confirm(3);
  assertEquals([output.start, output.end, textFrom(output, 0)], [3, 8, "defgh"]);
  assertEquals(textFrom(output, 6), "gh");
  output.add(bytes("ijklmnopqrst"));
  assertEquals([output.start, output.end, textFrom(output, 0)], [12, 20, "mnopqrst"]);
  output.confirm(1);
  assertEquals(output.start, 12, "a late confirmation changes nothing");
  output.confirm(20);
  assertEquals([output.start, textFrom(output, 20)], [20, ""]);
});

Deno.test("UnconfirmedOutput.firstCharacter leaves out the rest of a character, and no more", () => {
  const output = new UnconfirmedOutput(5);
  output.add(bytes("€€"));
  assertEquals(textFrom(output, output.firstCharacter), "€");
  output.confirm(6);
  assertEquals(output.firstCharacter, 6);
  const noText = new UnconfirmedOutput(5);
  noText.add(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80));
  assertEquals(noText.firstCharacter, 0, "no text at all is shown whole");
});
