import type { RequestMessage } from "../net/http_request.ts";
import { isJsonObject } from "../parse/json.ts";
import type { LongText } from "../types.ts";

/** Smaller bodies fit into one packet either way; to compress a report takes an eighth of its CPU. */
const MIN_COMPRESSED_BYTES = 1_400;

/**
 * Encodes a message, compressed by gzip if that is wanted and pays. A text in pieces is encoded piece by
 * piece: as a whole, it would take ten times its size meanwhile.
 */
export async function encodeJson(
  message: object,
  compresses = false,
): Promise<NonNullable<RequestMessage["body"]>> {
  const gzip = () => new CompressionStream("gzip");
  if (hasLongText(message)) {
    const bytes = ReadableStream.from(jsonPieces(message)).pipeThrough(new TextEncoderStream());
    return await Array.fromAsync(compresses ? bytes.pipeThrough(gzip()) : bytes);
  }
  const text = JSON.stringify(message);
  if (!compresses || text.length < MIN_COMPRESSED_BYTES) return text;
  return [await new Response(new Blob([text]).stream().pipeThrough(gzip())).bytes()];
}

function hasLongText(value: unknown): boolean {
  return isLongText(value) || (isJsonObject(value) && Object.values(value).some(hasLongText));
}

function isLongText(value: unknown): value is LongText {
  return isJsonObject(value) && Symbol.iterator in value;
}

function* jsonPieces(value: object): Generator<string> {
  let before = "{";
  for (const [name, field] of Object.entries(value)) {
    yield `${before}${JSON.stringify(name)}:`;
    before = ",";
    if (isLongText(field)) {
      yield '"';
      for (const piece of field) yield JSON.stringify(piece).slice(1, -1);
      yield '"';
    } else if (hasLongText(field)) yield* jsonPieces(field);
    else yield JSON.stringify(field);
  }
  yield "}";
}
