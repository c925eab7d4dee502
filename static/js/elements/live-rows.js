// <live-rows>: a list that follows the server. Known rows change in place; new ones wait behind a pill.

import { live } from "../lib/live.js";
import { isBegun, isMarked, refill } from "../lib/morph.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { sign } from "../lib/svg.js";
import { fetchPage, renew, replace } from "../lib/swap.js";
import { serverTime } from "../lib/times.js";

const LEAST_MS = 1500;
const AGAIN_MS = 10000;

class LiveRows extends HTMLElement {
  #fresh = null;
  #busy = false;
  #last = 0;
  #timer = 0;
  #every = 0;
  #readAt = serverTime();
  #stop = new AbortController();

  connectedCallback() {
    if (!("streams" in document.body.dataset) || "held" in this.dataset) return; // held: the page's script takes for it
    const { signal } = this.#stop;
    const bells = (this.dataset.bells ?? "").split(" ").filter(Boolean);
    live.listen(bells, () => this.#soon(), { signal });
    live.addEventListener("message", (event) => this.#hears(event.detail) && this.#soon(), { signal });
    live.addEventListener("poll", () => this.#soon(), { signal });
    pause.addEventListener("change", () => !pause.paused && this.#soon(), { signal });
    if ("every" in this.dataset) this.#every = setInterval(() => this.#soon(), Number(this.dataset.every) * 1000);
    document.addEventListener("visibilitychange", () => !document.hidden && this.#soon(), { signal });
  }

  disconnectedCallback() {
    this.#stop.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#every);
  }

  #hears(message) {
    return this.dataset.stream && message.stream.startsWith(`${this.dataset.stream}:`);
  }

  #soon() {
    if (pause.paused) {
      pause.hold();
      return;
    }
    if (document.hidden) return;
    const wait = this.#last + Number(this.dataset.seconds ?? 0) * 1000 - Date.now();
    this.#timer ||= setTimeout(() => this.#refresh(), Math.max(LEAST_MS, wait));
  }

  async #refresh() {
    this.#timer = 0;
    if (document.hidden || pause.paused || this.#busy) return;
    if (isMarked(this) || (this.#isWhole() && isBegun(this))) {
      this.#soon();
      return;
    }
    this.#busy = true;
    try {
      const fresh = await fetchPage(location.href, { signal: this.#stop.signal });
      this.#note(fresh !== null);
      if (!fresh || pause.paused) return;
      this.take(fresh);
      for (const id of (this.dataset.also ?? "").split(" ").filter(Boolean)) renew(fresh, id);
      document.querySelector("live-chip")?.renew(fresh.querySelector("live-chip")?.dataset ?? {});
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
      if (error instanceof TypeError) this.#note(false); // the server cannot be reached
    } finally {
      this.#busy = false;
      this.#last = Date.now();
    }
  }

  /** Whether it can only be exchanged as a whole: then nobody may be writing in it. Rows change around what is typed. */
  #isWhole() {
    return this.dataset.whole !== undefined || !this.querySelector("[data-key]");
  }

  /** Takes the rows of this page fetched anew. */
  take(fresh) {
    const next = fresh.getElementById(this.id);
    if (!next || this.#isWhole()) {
      replace(fresh, this.id);
      return;
    }
    this.#fresh = fresh;
    this.#announce(refill(this, next));
  }

  /** A list that cannot be read anew says of when it is, and tries again. */
  #note(isFresh) {
    this.querySelector(":scope > [data-old]")?.remove();
    if (isFresh) {
      this.#readAt = serverTime();
      return;
    }
    const note = document.createElement("p");
    note.className = "notice warn";
    note.dataset.old = "";
    note.append(sign("stale"), `Could not be read anew. This is the list from ${new Date(this.#readAt).toISOString().slice(11, 19)} UTC.`);
    this.prepend(note);
    this.#timer ||= setTimeout(() => this.#refresh(), AGAIN_MS);
  }

  #announce(n) {
    let pill = this.querySelector(":scope > .pill");
    if (!n) {
      pill?.remove();
      return;
    }
    if (!pill) {
      pill = document.createElement("button");
      pill.type = "button";
      pill.className = "pill";
      pill.dataset.held = "";
      pill.addEventListener("click", () => replace(this.#fresh, this.id));
      this.prepend(pill);
    }
    const text = `${n} new · Show`;
    if (pill.textContent !== text) say(`${n} new`);
    pill.textContent = text;
  }
}

customElements.define("live-rows", LiveRows);
