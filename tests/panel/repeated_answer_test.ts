import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parsePanelMessage } from "../../lib/panel/messages.ts";
import { RepeatedAnswer } from "../../lib/panel/repeated_answer.ts";

const FINE = '{"jsonrpc":"2.0","id":7,"result":{"status":"ok"}}';

function remembering(text: string, id: number): RepeatedAnswer {
  const answer = new RepeatedAnswer();
  answer.remember(text, id);
  return answer;
}

Deno.test("RepeatedAnswer.idOf() gives the id of an answer that says the same", () => {
  const answer = remembering(FINE, 7);
  for (const id of [0, 8, 99, 123456789]) {
    assertEquals(answer.idOf(FINE.replace("7", String(id))), id);
  }
  assertEquals(remembering('{"id":7}', 7).idOf('{"id":8}'), 8);
});

for (
  const text of [
    "",
    '{"jsonrpc":"2.0","id":8,"result":{"status":"no"}}',
    '{"jsonrpc":"2.0","id":8,"error":{"code":1},"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":"8","result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":08,"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id": 8,"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":8 ,"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":1e3,"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":-8,"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":8.5,"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":9007199254740993,"result":{"status":"ok"}}',
    '{"jsonrpc":"2.0","id":,"result":{"status":"ok"}}',
  ]
) {
  Deno.test(`RepeatedAnswer.idOf() does not recognize ${text || "an empty text"}`, () => {
    assertEquals(remembering(FINE, 7).idOf(text), undefined);
  });
}

for (
  const [text, id] of [
    ['{"result":{"id":7},"id":7}', 7],
    ['{"id" : 7,"result":{}}', 7],
    ['{"id":7.0,"result":{}}', 7],
    ['{"id":70,"result":{}}', 7],
  ] as const
) {
  Deno.test(`RepeatedAnswer.remember() does not remember ${text}`, () => {
    assertEquals(remembering(text, id).idOf(text), undefined);
  });
}

Deno.test("RepeatedAnswer.idOf() recognizes nothing that parsePanelMessage() reads differently", () => {
  const part = fc.constantFrom('"id":', "7", ",", "}", "{", '"a":', '"error":', " ", "0", ".5");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.nat({ max: 99 }), (parts, id) => {
      const text = `{"id":7,${parts.join("")}}`;
      const known = parsePanelMessage(text);
      if (known.kind !== "answer" || known.id === undefined || known.error !== undefined) return;
      const other = text.replace("7", String(id));
      const recognized = remembering(text, known.id).idOf(other);
      if (recognized === undefined) return;
      const read = parsePanelMessage(other);
      assertEquals(read.kind === "answer" ? read.id : read, recognized);
    }),
    { numRuns: 2000 },
  );
});
