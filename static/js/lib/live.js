// The live socket: wants streams, acknowledges every message, notices gaps, reconnects with jitter, polls meanwhile.

import { sessionEnded } from "./say.js";

const FIRST_MS = 500;
const LONGEST_MS = 30000;
const POLL_MS = 10000;
const OPENING_MS = 10000; // a line that swallows what is sent never says that it does not open
const SILENT_MS = 60000; // streams are looked at every five seconds
const SESSION_ENDED = 4001;

/**
 * Events: "state", "message" (a stream's message), "bell" ({of}), "poll" (fetch anew; {again}: the socket is back, and
 * brings the streams itself). States: live, reconnecting, polling (no socket, but pages are answered), ended.
 */
class Live extends EventTarget {
  #streams = [];
  #bells = new Set();
  #asks = false;
  #socket = null;
  #seen = new Map();
  #failures = 0;
  #timer = 0;
  #poll = 0;
  #order = Promise.resolve();
  #quiet = false;
  #heardAt = 0;
  state = "off";
  retryAt = 0;

  /** Calls back when one of these bells rings. Only bells that somebody listens for are asked for. */
  listen(bells, heard, options) {
    this.addEventListener("bell", (event) => bells.includes(event.detail.of) && heard(), options);
    const before = this.#bells.size;
    for (const bell of bells) this.#bells.add(bell);
    if (this.#bells.size === before || this.#asks || this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#asks = true;
    queueMicrotask(() => {
      this.#asks = false;
      if (this.#socket.readyState === WebSocket.OPEN) this.#ask(this.#socket);
    });
  }

  /** Starts with the streams that the page names; a page without any polls. */
  start(streams) {
    this.#streams = streams;
    this.#connect();
    setInterval(() => this.state === "live" && (streams.length ? this.#listenAgain() : this.#fetch()), POLL_MS);
    addEventListener("pagehide", () => this.#socket?.readyState === WebSocket.OPEN && this.#socket.close());
    addEventListener("pageshow", (event) => event.persisted && this.#connect());
  }

  /** A page that shows the past, or a form, only wants to know that the session is over. */
  watch() {
    this.#quiet = true;
    this.start([]);
  }

  /** A page was answered, or was not: without a socket that is all there is. */
  answered(isAnswered) {
    if (this.state === "reconnecting" || this.state === "polling") this.#become(isAnswered ? "polling" : "reconnecting");
  }

  /** The session is over: nothing is tried any more, and a dialog says so. */
  end() {
    clearTimeout(this.#timer);
    clearInterval(this.#poll);
    this.#poll = 0;
    this.#become("ended");
    this.#socket?.close();
    sessionEnded();
  }

  #connect() {
    clearTimeout(this.#timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#seen.clear();
    this.#heardAt = Date.now();
    this.#socket?.close();
    const socket = new WebSocket(`${scheme}//${location.host}/live/`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    setTimeout(() => socket.readyState === WebSocket.CONNECTING && socket.close(), OPENING_MS);
    socket.onopen = () => {
      const wasLost = this.#failures > 0;
      if (!this.#streams.length) this.#failures = 0;
      this.#ask(socket);
      clearInterval(this.#poll);
      this.#poll = 0;
      this.#become("live");
      if (wasLost) this.#fetch({ again: this.#streams.length > 0 });
    };
    socket.onmessage = (event) => this.#hear(socket, event.data);
    socket.onclose = (event) => {
      if (socket !== this.#socket || this.state === "ended") return;
      if (event.code === SESSION_ENDED) this.end();
      else this.#again();
    };
  }

  /** A line that brings nothing may be dead without a word: who sends nothing is never told. */
  #listenAgain() {
    if (Date.now() - this.#heardAt <= SILENT_MS) return;
    this.#failures ||= 1;
    this.#connect();
  }

  #ask(socket) {
    socket.send(JSON.stringify({ want: this.#streams, bells: this.#quiet ? [] : [...this.#bells] }));
  }

  /** Long messages come packed and take a moment to unpack: all are taken in their order. */
  #hear(socket, data) {
    this.#order = this.#order
      .then(() => unpacked(data))
      .then((message) => socket === this.#socket && this.#take(socket, message))
      .catch(reportError);
  }

  #take(socket, message) {
    this.#heardAt = Date.now();
    this.#failures = 0; // not before: who is let in and sent away again must not come back at once for ever
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ack: message.seq }));
    if (message.stream === "bell") {
      if (!this.#quiet) this.dispatchEvent(new CustomEvent("bell", { detail: message }));
      return;
    }
    if (message.kind === "delta" && message.base !== this.#seen.get(message.stream)) {
      this.#begin(socket);
      return;
    }
    this.#seen.set(message.stream, message.seq);
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  /** After a gap everything is wanted anew, and comes whole. */
  #begin(socket) {
    this.#seen.clear();
    socket.send(JSON.stringify({ want: [] }));
    this.#ask(socket);
  }

  #again() {
    this.#failures += 1;
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#failures - 1)) * (0.5 + Math.random() / 2);
    this.retryAt = Date.now() + wait;
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#poll ||= setInterval(() => this.#fetch(), POLL_MS);
    if (this.state !== "polling") this.#become("reconnecting");
    if (this.#failures === 4) this.#fetch(); // it is no blink
  }

  #fetch(detail = {}) {
    if (!document.hidden && !this.#quiet) this.dispatchEvent(new CustomEvent("poll", { detail }));
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state"));
  }
}

async function unpacked(data) {
  if (typeof data === "string") return JSON.parse(data);
  return new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
}

export const live = new Live();
