import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { TempFolder } from "../temp_folder.ts";
import { RecordFile } from "../../lib/state/record_file.ts";

/** Gives a test two handles of one file, as two processes have them. */
function withTwo(use: (one: RecordFile, other: RecordFile, path: string) => void): void {
  using folder = new TempFolder();
  const path = `${folder.path}/record`;
  Deno.writeTextFileSync(path, "");
  const open = () =>
    new RecordFile(Deno.openSync(path, { read: true, write: true }), { maxBytes: 100 });
  using one = open();
  using other = open();
  use(one, other, path);
}

Deno.test("RecordFile carries records both ways, whichever is longer", () => {
  withTwo((one, other) => {
    const text = fc.string({ unit: "grapheme", maxLength: 12 });
    const records = fc.array(fc.tuple(text, text));
    fc.assert(fc.property(records, (list) => {
      for (const [question, answer] of list) {
        assert(one.write({ question }));
        assertEquals(other.read(), { question });
        assert(other.write({ answer }));
        assertEquals(one.read(), { answer });
      }
      one.clear();
      assertEquals([one.read(), other.read()], [undefined, undefined]);
    }));
  });
});

Deno.test("RecordFile.write() leaves the record that is there where a longer one does not fit", () => {
  withTwo((one, other, path) => {
    const fits = { a: "ä".repeat(46) };
    assert(one.write(fits));
    assertEquals(Deno.statSync(path).size, 100);
    assert(!one.write({ a: "x".repeat(93) }));
    assertEquals(other.read(), fits);
    assert(one.write({ a: "longer" }, (key, value) => key === "a" ? "cut" : value));
    assertEquals(other.read(), { a: "cut" });
  });
});
