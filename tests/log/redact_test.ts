import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { oneLine, printable, redactQueries, redactSecrets } from "../../lib/log/redact.ts";
import { truncate } from "../../lib/parse/bounded_text.ts";

Deno.test("redactQueries() takes queries out of URLs and leaves questions alone", () => {
  assertEquals(redactQueries("(http://a/b?token=x&y=z): refused"), "(http://a/b?…): refused");
  assertEquals(
    redactQueries("https://a/?token=x failed, then wss://b/c?token=y http://d"),
    "https://a/?… failed, then wss://b/c?… http://d",
  );
  assertEquals(
    redactQueries("http://a/?=x: refused, /b?c&token= y"),
    "http://a/?… refused, /b?… y",
  );
  assertEquals(redactQueries("is it right? yes"), "is it right? yes");
});

Deno.test("redactSecrets() removes secrets, plain and URL-encoded", () => {
  assertEquals(redactSecrets("token a/b, ?token=a%2Fb", ["", "a/b"]), "token …, ?token=…");
});

const TOKEN = "t0k.en+/&=ABCDEFGH";

Deno.test("redactSecrets() finds a secret in whatever form, and with unseen characters inside", () => {
  for (
    const text of [
      TOKEN,
      encodeURIComponent(TOKEN),
      // Zero width, control, soft hyphen, direction, variation, Hangul filler.
      ...["\u200b", "\u0007", "\u00ad", "\u202e", "\ufe0f", "\u3164"].map((character) =>
        TOKEN.slice(0, 5) + character + TOKEN.slice(5)
      ),
      Array.from(TOKEN).join("\u200d"),
    ]
  ) assertEquals(redactSecrets(`(${text})`, [TOKEN]), "(…)", JSON.stringify(text));
  assertEquals(redactSecrets('"a\\"b"', ['a"b']), '"…"');
});

/** Control characters of both tables, formats, what is ignored by default, and ends of lines. */
const UNSEEN = ["\0", "\r", "\x1b", "\x7f", "\x9b", "\u200b", "\u202e", "\ufe0f", "\u3164"];

for (const unseen of [...UNSEEN, "\u2028", "\u2029"]) {
  const name = JSON.stringify(unseen).slice(1, -1);
  Deno.test(`what is unseen as ${name} hides no secret, and gets into no line`, () => {
    assertEquals(redactSecrets(`<s3cr${unseen}et>`, ["s3cret"]), "<…>");
    assertEquals(oneLine(`a${unseen}${unseen}b`), "a b");
    assertEquals(printable(`a${unseen}b`), "ab");
  });
}

Deno.test("redactSecrets() keeps what stands around a secret of characters that take two units", () => {
  const secret = "p@ss𝄞word𝄞";
  const text = `𝄞 p@ss\u200b𝄞word𝄞 𝄞 ${secret}𝄞`;
  assertEquals(redactSecrets(text, [secret]), "𝄞 … 𝄞 …𝄞");
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

Deno.test("oneLine() leaves nothing that acts on a terminal or ends a line", () => {
  assertEquals(oneLine("a\x1b[2J\nb\r\u009bc\u2028d\u202ee\u200bf"), "a [2J b c d e f");
  assertEquals(oneLine("坏了 ünïcode ✓"), "坏了 ünïcode ✓");
});

Deno.test("printable() keeps lines, tabs and the program's own colors, and nothing else that acts", () => {
  assertEquals(printable("\x1b[32m✓\x1b[0m a\tb\nc\n"), "\x1b[32m✓\x1b[0m a\tb\nc\n");
  const colored = [0, 31, 32, 33, 90].map((color) => `\x1b[${color}mx`).join("");
  assertEquals(printable(colored), colored);
  for (
    const attack of [
      ...["\x1b[2J", "\x1b]0;title\x07", "\x1b[8m", "\x1b[1;1H", "\x1bc", "\x9b2J", "\r", "\b"],
      ...["\x1bP$q\x1b\\\\", "\x1b[38;5;0m", "\u202e", "\u2028"],
    ]
  ) {
    const shown = printable(`a${attack}b`);
    assert(!/[\p{Cc}\p{Cf}\u2028]/u.test(shown), JSON.stringify(shown));
  }
});
