import { ChunkLimit, ReadLimit } from "../../../lib/net/read_limits.ts";
import { MessageLimit } from "../../../lib/panel/message_limit.ts";

// Loaded by an agent before its own code: it reads whatever its panel sends.
MessageLimit.prototype.take = () => 0;
ReadLimit.prototype.take = () => 0;
ChunkLimit.prototype.take = () => {};
