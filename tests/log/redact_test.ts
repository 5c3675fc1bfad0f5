import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  oneLine,
  printable,
  redactQueries,
  redactSecrets,
  redactUrl,
} from "../../lib/log/redact.ts";
import { cases, same } from "../cases.ts";
import { truncate } from "../../lib/parse/bounded_text.ts";

Deno.test("redactQueries() takes queries out of URLs and leaves questions alone", () => {
  same(redactQueries, [
    ["(http://a/b?token=x&y=z): refused", "(http://a/b?…): refused"],
    [
      "https://a/?token=x failed, then wss://b/c?token=y http://d",
      "https://a/?… failed, then wss://b/c?… http://d",
    ],
    ["http://a/?=x: refused, /b?c&token= y", "http://a/?… refused, /b?… y"],
    ["is it right? yes", "is it right? yes"],
  ]);
});

const TOKEN = "t0k.en+/&=ABCDEFGH";

Deno.test("redactSecrets() finds a secret in whatever form, and with unseen characters inside", () => {
  for (const text of [TOKEN, encodeURIComponent(TOKEN), Array.from(TOKEN).join("\u200d")]) {
    assertEquals(redactSecrets(`(${text})`, [TOKEN]), "(…)", JSON.stringify(text));
  }
  assertEquals(redactSecrets('"a\\"b"', ['a"b']), '"…"');
});

/** Each character as `escape` writes it. */
function escaped(text: string, escape: (code: string) => string): string {
  return Array.from(text, (it) => escape(it.charCodeAt(0).toString(16).padStart(2, "0"))).join("");
}

Deno.test("redactSecrets() finds a secret that was encoded in any way, also twice and in part", () => {
  const url = encodeURIComponent(TOKEN);
  const forms = {
    "lower case percent": url.toLowerCase(),
    "all percent": escaped(TOKEN, (hex) => `%${hex}`),
    "mixed case": TOKEN.toLowerCase(),
    "twice": encodeURIComponent(url),
    "twice in lower case": encodeURIComponent(url.toLowerCase()).toLowerCase(),
    "thrice": encodeURIComponent(encodeURIComponent(url)),
    "HTML": TOKEN.replaceAll("&", "&amp;"),
    "HTML of the URL": url.replaceAll("%", "&#37;"),
    "hexadecimal entities": escaped(TOKEN, (hex) => `&#x${hex};`),
    "decimal entities": escaped(TOKEN, (hex) => `&#${parseInt(hex, 16)};`),
    "long entities": escaped(TOKEN, (hex) => `&#X0000${hex.toUpperCase()};`),
    "JSON": escaped(TOKEN, (hex) => `\\u00${hex}`),
    "JSON's slash": TOKEN.replace("/", "\\/"),
    "percent in JSON": url.replaceAll("%", "\\u0025"),
    "an unseen character, encoded": `${TOKEN.slice(0, 5)}%E2%80%8B${TOKEN.slice(5)}`,
    "half of it": encodeURIComponent(TOKEN.slice(0, 7)) + TOKEN.slice(7),
  };
  for (const [name, form] of Object.entries(forms)) {
    assertEquals(redactSecrets(`<${form}>`, [TOKEN]), "<…>", name);
  }
});

Deno.test("redactSecrets() finds secrets that look like an escape, and leaves other escapes alone", () => {
  assertEquals(redactSecrets("a a%41b&amp;c a", ["a%41b&amp;c"]), "a … a");
  assertEquals(redactSecrets("a%2541b", ["a%41b"]), "…");
  const other = 'GET /a%20b?x=%E2%9C%93 "\\u00e9" &lt;b&gt; &#999999999; &#1114112; %zz 100%';
  assertEquals(redactSecrets(other, [TOKEN]), other);
});

Deno.test("redactSecrets() finds the start of an encoded secret that was cut off in an escape", () => {
  for (const form of [encodeURIComponent(TOKEN), TOKEN.replace("&", "&amp;")]) {
    for (let length = 5; length < form.length; length++) {
      const text = redactSecrets(`/login/${form.slice(0, length)}…`, [TOKEN]);
      assertEquals(text, "/login/…", form.slice(0, length));
    }
  }
});

Deno.test("redactSecrets() hides each of several secrets, also where they overlap, or are in short or odd characters", () => {
  const secrets = ["abcdef", "defghi", "user"];
  assertEquals(redactSecrets("xabcdefghiy user abcdef", secrets), "x…y … …");
  assertEquals(redactSecrets("xabcdefghiy", ["abcdefghi", "bcde"]), "x…y", "one within another");
  assertEquals(redactSecrets("token a/b, ?token=a%2Fb", ["", "a/b"]), "token …, ?token=…");
  assertEquals(redactSecrets("a panel at p/a?token=a", ["a"]), "… panel at p/…?token=…");
  const secret = "p@ss𝄞word𝄞";
  const text = `𝄞 p@ss\u200b𝄞word𝄞 𝄞 ${secret}𝄞`;
  assertEquals(redactSecrets(text, [secret]), "𝄞 … 𝄞 …𝄞");
});

Deno.test("redactUrl() leaves neither a login nor a query, of whatever was meant to be a URL", () => {
  same(redactUrl, [
    ...cases(`
    https://panel.example.com/sub                → https://panel.example.com/sub
    https://user:pass@panel.example.com          → https://…@panel.example.com
    https://user:p@ss/word@panel.example.com/x   → https://…@panel.example.com/x
    https://panel.example.com/?token=abc         → https://panel.example.com/?…
    https://panel.example.com?abc#def            → https://panel.example.com?…
    panel.example.com#abc                        → panel.example.com#…
    ftp://panel                                  → ftp://panel
    `),
    ["user:pass@panel.example.com?x\ny", "…@panel.example.com?…"],
  ]);
});

/** Control characters of both tables, formats, what is ignored by default, and ends of lines. */
const UNSEEN = "\0 \r \x07 \x1b \x7f \x9b \u00ad \u200b \u202e \ufe0f \u3164 \u2028 \u2029".split(
  " ",
);

Deno.test("what is unseen hides no secret, and gets into no line", () => {
  for (const unseen of UNSEEN) {
    const name = JSON.stringify(unseen);
    assertEquals(redactSecrets(`<s3cr${unseen}et>`, ["s3cret"]), "<…>", name);
    assertEquals(oneLine(`a${unseen}${unseen}b`), "a b", name);
    assertEquals(printable(`a${unseen}b`), "ab", name);
  }
  assertEquals(oneLine("a\x1b[2J\nb 坏了 ünïcode ✓"), "a [2J b 坏了 ünïcode ✓");
});

Deno.test("redactSecrets() finds the start of a secret that was cut off", () => {
  for (let length = 4; length < TOKEN.length; length++) {
    const text = truncate(`/login/${TOKEN}/further`, "/login/".length + length + 1);
    // What was cut before is found no more without this.
    assertEquals(text, `/login/${TOKEN.slice(0, length)}…`);
    assertEquals(redactSecrets(`to ${text}: 302`, [TOKEN]), "to /login/…: 302");
    const split = text.replace(TOKEN.slice(0, 3), `${TOKEN.slice(0, 3)}\u200b`);
    assertEquals(redactSecrets(split, [TOKEN]), "/login/…");
  }
  assertEquals(redactSecrets("t0k…, t0k.e, and …", [TOKEN]), "t0k…, t0k.e, and …");
});

Deno.test("redactSecrets() hides each eight characters of a secret, of which nine were shown before", () => {
  const secret = "Zq8Lr2Vx9Kd4Tn7";
  for (let from = 0; from < secret.length; from++) {
    for (let to = from + 1; to <= secret.length; to++) {
      const run = secret.slice(from, to);
      for (const text of [run, encodeURIComponent(run), escaped(run, (hex) => `%${hex}`)]) {
        const shown = redactSecrets(`(${text})`, [secret]);
        assertEquals(shown, run.length >= 8 ? "(…)" : `(${text})`);
      }
    }
  }
  const two = `${secret.slice(0, 9)}-${secret.slice(4)}`;
  assertEquals(redactSecrets(two, [secret]), "…-…");
});

Deno.test("redactSecrets() leaves nothing of a secret, wherever it stands", () => {
  fc.assert(fc.property(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme-ascii", minLength: 5 }),
    fc.string({ unit: "binary" }),
    (before, secret, after) => {
      assert(!redactSecrets(before + secret + after, [secret]).includes(secret) || secret === "…");
    },
  ));
});

Deno.test("printable() keeps lines, tabs and the program's own colors, and nothing else that acts", () => {
  assertEquals(printable("\x1b[32m✓\x1b[0m a\tb\nc\n"), "\x1b[32m✓\x1b[0m a\tb\nc\n");
  const colored = [0, 31, 32, 33, 90].map((color) => `\x1b[${color}mx`).join("");
  assertEquals(printable(colored), colored);
  const attacks = [
    ...["\x1b[2J", "\x1b]0;title\x07", "\x1b[8m", "\x1b[1;1H", "\x1bc", "\x9b2J", "\r", "\b"],
    ...["\x1bP$q\x1b\\\\", "\x1b[38;5;0m", "\u202e", "\u2028"],
  ];
  for (const attack of attacks) {
    const shown = printable(`a${attack}b`);
    assert(!/[\p{Cc}\p{Cf}\u2028]/u.test(shown), JSON.stringify(shown));
  }
});
