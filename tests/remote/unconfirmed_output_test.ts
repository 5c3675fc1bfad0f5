import { assertEquals } from "@std/assert";
import { UnconfirmedOutput } from "../../lib/remote/unconfirmed_output.ts";

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
  for (const place of [1, 21, NaN, -1]) output.confirm(place);
  assertEquals(output.start, 12, "a late or a wrong confirmation changes nothing");
  output.confirm(20);
  assertEquals([output.start, textFrom(output, 20)], [20, ""]);
});
