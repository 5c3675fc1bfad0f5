import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { editConfigText } from "../../lib/config/config_edit.ts";
import { readConfigFile } from "../../lib/config/config_file.ts";

const HAND_WRITTEN = `// of the machine in Paris
{
  "endpoint": "https://p.example", // behind nginx
  /* asked by the provider */
  "interval": 2, // seconds
  "headers": {
    "X-Key": "one" // secret
  },
  // last
  "include_nics": ["eth0"],
}
`;

function edited(changes: Record<string, string | undefined>, text = HAND_WRITTEN): string {
  const options = new Map(readConfigFile("it", { option: "", readText: () => text }));
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) options.delete(key);
    else options.set(key, value);
  }
  return editConfigText(text, options);
}

Deno.test("editConfigText() changes nothing when no option changes", () => {
  assertEquals(edited({}), HAND_WRITTEN);
});

Deno.test("editConfigText() changes a value and leaves the comments", () => {
  assertEquals(edited({ interval: "5" }), HAND_WRITTEN.replace('"interval": 2', '"interval": 5'));
  const shown = edited({ include_nics: "eth0,eth1" });
  assertEquals(shown, HAND_WRITTEN.replace('["eth0"]', '[\n    "eth0",\n    "eth1"\n  ]'));
});

Deno.test("editConfigText() adds options first, where they take over no comment", () => {
  assertEquals(
    edited({ enable_gpu: "true", month_rotate: "5" }),
    HAND_WRITTEN.replace("{\n", '{\n  "enable_gpu": true,\n  "month_rotate": 5,\n'),
  );
  assertEquals(edited({ interval: "3" }, "{}\n"), '{\n  "interval": 3\n}\n');
});

Deno.test("editConfigText() removes an option with the comment beside it, and leaves the others", () => {
  assertEquals(
    edited({ interval: undefined, include_nics: undefined }),
    HAND_WRITTEN.replace('  "interval": 2, // seconds\n', "")
      .replace('  "include_nics": ["eth0"],\n', ""),
  );
  const last = '{\n  "interval": 2, // s\n  // why\n  "month_rotate": 5 // day\n}\n';
  const expected = '{\n  "interval": 2, // s\n  // why\n}\n';
  assertEquals(edited({ month_rotate: undefined }, last), expected);
  const plain = '{"interval": 2,\n  "month_rotate": 5\n}\n';
  assertEquals(edited({ month_rotate: undefined }, plain), '{\n  "interval": 2\n}\n');
});

Deno.test("editConfigText() has exactly the options, whatever the text looks like", () => {
  const keys = ["interval", "month_rotate", "exec_timeout", "info_report_interval"];
  const gap = fc.constantFrom("", " ", "\n", "\n\n  ", " // c\n", "/* , { } */", "\r\n\t");
  const values = fc.dictionary(fc.constantFrom(...keys), fc.integer({ min: 1, max: 30 }));
  fc.assert(
    fc.property(values, values, gap, gap, fc.boolean(), (old, wanted, one, other, comma) => {
      const entries = Object.entries(old).map(([key, value]) => `${one}"${key}"${other}: ${value}`);
      const tail = comma && entries.length > 0 ? "," : "";
      const text = `{${entries.join(`${other},`)}${other}${tail}${one}}\n`;
      const options = new Map(Object.entries(wanted).map(([key, value]) => [key, String(value)]));
      const result = editConfigText(text, options);
      const read = readConfigFile("it", { option: "", readText: () => result });
      assertEquals(Object.fromEntries(read), Object.fromEntries(options), text);
      const isKept = result.split("/* , { } */").length === text.split("/* , { } */").length;
      assertEquals(isKept || !Object.keys(old).every((key) => key in wanted), true, result);
      if (!/[/]|,\s*}/.test(text)) JSON.parse(result);
    }),
  );
});

Deno.test("editConfigText() writes a text anew that is nothing to edit", () => {
  const options = new Map([["interval", "3"]]);
  for (const text of ["", "[]", "{", '{"interval": 1, "interval": 2, "unknown": 3}']) {
    assertStringIncludes(editConfigText(text, options), '{\n  "interval": 3\n}\n');
  }
});
