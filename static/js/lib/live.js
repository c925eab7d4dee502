// The live socket: wants streams, acknowledges every message, notices gaps, reconnects with jitter, polls meanwhile.

import { sessionEnded } from "./say.js";

const FIRST_MS = 500;
const LONGEST_MS = 30000;
const POLL_MS = 10000;
const TRIES_BEFORE_POLLING = 2;
const SESSION_ENDED = 4001;

/**
 * Events: "state" (detail: {state, retryAt}), "message" (a stream's message), "bell" ({of}), "poll" (fetch anew).
 * States: live, reconnecting, polling, ended.
 */
class Live extends EventTarget {
  #streams = [];
  #socket = null;
  #seen = new Map();
  #failures = 0;
  #timer = 0;
  #poll = 0;
  state = "off";
  retryAt = 0;

  /** Starts with the streams that the page names; a page without any polls. Bells come with every connection. */
  start(streams) {
    this.#streams = streams;
    this.#connect();
    if (!streams.length) setInterval(() => !document.hidden && this.dispatchEvent(new CustomEvent("poll")), POLL_MS);
    addEventListener("pagehide", () => this.#socket?.close());
    addEventListener("pageshow", (event) => event.persisted && this.#connect());
  }

  /** Asks for a whole new picture of everything: after a gap, or when the tab is shown again. */
  renew() {
    this.#seen.clear();
    this.dispatchEvent(new CustomEvent("poll"));
  }

  #connect() {
    clearTimeout(this.#timer);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#seen.clear();
    const socket = new WebSocket(`${scheme}//${location.host}/live/`);
    this.#socket = socket;
    socket.onopen = () => {
      this.#failures = 0;
      socket.send(JSON.stringify({ want: this.#streams }));
      this.#stopPolling();
      this.#become("live");
    };
    socket.onmessage = (event) => this.#take(socket, JSON.parse(event.data));
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      if (event.code === SESSION_ENDED) this.#end();
      else this.#again();
    };
  }

  #take(socket, message) {
    socket.send(JSON.stringify({ ack: message.seq }));
    if (message.stream === "bell") {
      this.dispatchEvent(new CustomEvent("bell", { detail: message }));
      return;
    }
    const last = this.#seen.get(message.stream);
    if (message.kind === "delta" && message.base !== undefined && message.base !== last) {
      this.renew();
      return;
    }
    this.#seen.set(message.stream, message.seq);
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }

  #again() {
    this.#failures += 1;
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#failures - 1)) * (0.5 + Math.random() / 2);
    this.retryAt = Date.now() + wait;
    this.#timer = setTimeout(() => this.#connect(), wait);
    if (this.#failures > TRIES_BEFORE_POLLING) this.#startPolling();
    else this.#become("reconnecting");
  }

  #startPolling() {
    this.#become("polling");
    this.#poll ||= setInterval(() => !document.hidden && this.dispatchEvent(new CustomEvent("poll")), POLL_MS);
  }

  #stopPolling() {
    clearInterval(this.#poll);
    if (this.#poll || this.state === "reconnecting") this.dispatchEvent(new CustomEvent("poll"));
    this.#poll = 0;
  }

  #end() {
    clearInterval(this.#poll);
    this.#become("ended");
    sessionEnded();
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, retryAt: this.retryAt } }));
  }
}

export const live = new Live();
