import { assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { longPoll } from "../../lib/panel/long_poll.ts";
import type { PanelEvent } from "../../lib/panel/messages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { FakeTime } from "../fake_time.ts";
import { DEFAULTS, fakeConnection } from "./fake_connection.ts";
import { FakeReceiver } from "./fake_receiver.ts";
import { testScripts } from "./scripts.ts";

const EVENT: PanelEvent = { id: "e", message: { kind: "notice", text: "e" } };

/** A loop of pulls on a fake time. */
class Loop implements AsyncDisposable {
  readonly time = new FakeTime();
  readonly stop = new AbortController();
  /** How each pull ends, the last word again and again: after so many seconds without events, or `event`. */
  answers: string[] = [];
  handlingMs = 0;
  readonly askedAtMs: number[] = [];
  readonly outcomes: string[] = [];
  events = 0;
  #running: Promise<void> | undefined;

  start(): void {
    this.#running ??= longPoll(this.#connection(), {
      receiver: Object.assign(new FakeReceiver(), {
        onEvents: async ({ length }: readonly PanelEvent[]) => {
          this.events += length;
          if (this.handlingMs > 0 && length > 0) await delay(this.handlingMs);
        },
      }),
      signal: this.stop.signal,
    });
  }

  #connection() {
    const onOutcome = (error: unknown, call: string) =>
      void this.outcomes.push(`${call} ${error instanceof Error ? error.message : "ok"}`);
    const connection = fakeConnection(DEFAULTS, [{ onOutcome }]);
    connection.clientV2.pull = async (signal) => {
      this.askedAtMs.push(performance.now());
      const [, word = "", number] = /^([a-z]*)([\d.]*)$/.exec(
        this.answers.length > 1 ? this.answers.shift() ?? "" : this.answers[0] ?? "",
      ) ?? [];
      const retryAfterMs = number ? Number(number) * 1000 : undefined;
      if (word === "late") this.stop.abort();
      if (word === "late" || word === "event") return [EVENT];
      if (word === "lost") throw new Error("refused");
      if (word === "limited") {
        throw new PanelError("429", { failure: "unavailable", status: 429, retryAfterMs });
      }
      if (retryAfterMs) await delay(retryAfterMs, { signal });
      return [];
    };
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using time = this.time;
    this.stop.abort();
    await this.#running;
    assertEquals(time.timers, 0, "no timer is left");
  }
}

testScripts(
  `
pulls again soon after a long poll
  pulls 25; 76 s; asked = 0 25.2 50.4 75.6; outcomes = pull ok, pull ok, pull ok
passes on events and pulls again soon
  pulls event; 1 s; asked = 0 0.2 0.4 0.6 0.8 1; events = 6
does not pull before its events are handled
  pulls event 0; handling 3; 3.3 s; asked = 0 3.2
slows down when the panel answers at once without events
  pulls 0; 60 s; asked = 0 0.4 1.2 2.8 6 12.4 22.4 32.4 42.4 52.4
slows down when answers without events come within a second
  pulls 0.999; 8 s; asked = 0 1.399 3.198 5.797
takes an answer without events after a second for a long poll
  pulls 1; 4 s; asked = 0 1.2 2.4 3.6
passes on failures, slows down, and recovers
  pulls lost lost lost 1; 5.2 s; asked = 0 0.4 1.2 2.8 4 5.2
  outcomes = pull refused, pull refused, pull refused, pull ok, pull ok
pulls no sooner than the panel wants, and then as usual
  pulls limited60 limited0.05 limited 1; 64 s; asked = 0 60 60.8 62.4 63.6
ends without an error when the signal aborts a pull
  pulls 99; 0.1 s; stop; 60 s; asked = 0; outcomes =
ends during a delay
  pulls 0; 10 s; timers = 1; stop; timers = 0; 60 s; asked = 0 0.4 1.2 2.8 6
passes on events that arrive as the signal aborts
  pulls late; 1 s; events = 1; asked = 0
does not pull when the signal has aborted before
  pulls 0; stop; 1 s; asked =; outcomes =
`,
  {
    steps: {
      pulls: (loop, answers) => loop.answers = answers.split(" "),
      handling: (loop, seconds) => loop.handlingMs = Number(seconds) * 1000,
      stop: ({ stop }) => stop.abort(),
    },
    facts: {
      asked: ({ askedAtMs }) => askedAtMs.map((ms) => ms / 1000).join(" "),
      outcomes: ({ outcomes }) => outcomes.join(", "),
      events: ({ events }) => events,
      timers: ({ time }) => time.timers,
    },
    async run(loop, ms) {
      loop.start();
      await loop.time.run(ms);
    },
  },
  { subject: "longPoll()", make: () => new Loop() },
);
