import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { MessageReceiver } from "../../lib/panel/message_receiver.ts";
import type { PanelMessage } from "../../lib/panel/messages.ts";

/** Keeps the messages that it receives. */
export class FakeReceiver extends MessageReceiver {
  readonly messages: PanelMessage[] = [];

  constructor() {
    super(new MessageLimit(), () => {});
  }

  override onMessage(message: PanelMessage): void {
    this.messages.push(message);
  }
}
