import { PanelError } from "./panel_error.ts";
import type { RpcError } from "../panel_message.ts";

/** The panel has answered a call with an error. */
export function rpcRefusal(name: string, { code, text }: RpcError): PanelError {
  const words = text === "" ? `error ${code ?? "without a word"}` : `"${text}"`;
  return new PanelError(`Cannot ${name}: the panel says ${words}`, {
    failure: "rejected",
    ...(code === undefined ? {} : { code }),
  });
}
