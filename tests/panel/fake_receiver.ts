import { MessageReceiver } from "../../lib/panel/message_receiver.ts";
import type { PanelMessage } from "../../lib/panel/messages.ts";

/** Keeps the messages that it receives. */
export class FakeReceiver extends MessageReceiver {
  readonly messages: PanelMessage[] = [];
  /** Whether the panel has not sent too many. */
  isOpen = true;

  constructor() {
    super(() => {});
  }

  override accepts(): boolean {
    return this.isOpen;
  }

  override onMessage(message: PanelMessage): void {
    this.messages.push(message);
  }
}
