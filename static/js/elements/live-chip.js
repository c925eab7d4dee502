// <live-chip>: how old the newest data is, and why it may be older than it should.

import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { sign } from "../lib/svg.js";
import { duration } from "../lib/format.js";
import { serverTime } from "../lib/times.js";

const FLAGS = ["delayed", "fold_delayed", "scan_delayed"];

class LiveChip extends HTMLElement {
  #asOf = 0;
  #late = {};
  #timer = 0;
  #said = "";

  connectedCallback() {
    this.#asOf = Date.parse(this.dataset.asOf ?? "") || 0;
    this.#late = { page: "delayed" in this.dataset };
    this.chip = this.querySelector(".chip-live");
    this.text = document.createElement("span");
    this.icon = sign("live");
    this.chip.replaceChildren(this.icon, this.text);
    this.#timer = setInterval(() => !document.hidden && this.#draw(), 1000);
    live.addEventListener("state", () => this.#draw());
    live.addEventListener("message", (event) => !pause.paused && this.#hear(event.detail));
    pause.addEventListener("change", () => this.#draw());
    this.#draw();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  /** A message brings the time of the newest data, and which sources are late. */
  #hear(message) {
    if (message.as_of) this.#asOf = Date.parse(message.as_of);
    for (const facts of Object.values(message.about ?? {})) {
      for (const name of FLAGS) if (facts && name in facts) this.#late[name] = facts[name];
    }
    delete this.#late.page;
    this.#draw();
  }

  /** A page fetched its data anew. */
  renew(asOf, delayed) {
    if (asOf) this.#asOf = Math.max(this.#asOf, Date.parse(asOf));
    this.#late = { ...this.#late, page: delayed };
    this.#draw();
  }

  /** A part of the page could not be fetched (or could again): what it shows is older than the chip's own data. */
  late(part, isLate) {
    this.#late[`part-${part}`] = isLate;
    this.#draw();
  }

  #draw() {
    const [state, text] = this.#label();
    if (this.chip.dataset.state !== state) {
      this.chip.dataset.state = state;
      const icon = sign(state);
      this.icon.replaceWith(icon);
      this.icon = icon;
      if (this.#said && state !== "paused") say(text);
      this.#said = state;
    }
    if (this.text.textContent !== text) this.text.textContent = text;
  }

  #label() {
    const age = this.#asOf ? Math.max(0, Math.floor((serverTime() - this.#asOf) / 1000)) : null;
    const asOf = age === null ? "as of ?" : `as of ${age < 60 ? `${age} s` : duration(age)}`;
    if (pause.paused) return ["paused", `Paused at ${clock(pause.since)} · ${pause.held} ${pause.held === 1 ? "update" : "updates"} held`];
    if (live.state === "ended") return ["delayed", `Session ended · ${asOf}`];
    if (live.state === "polling") return ["polling", "Polling every 10 s"];
    if (live.state === "reconnecting") {
      const wait = Math.max(0, Math.ceil((live.retryAt - Date.now()) / 1000));
      return ["reconnecting", `Reconnecting in ${wait} s · ${asOf}`];
    }
    const limit = Number(this.dataset.limit);
    if (Object.values(this.#late).some(Boolean) || (age !== null && age > limit)) return ["delayed", `Delayed · ${asOf}`];
    return ["live", `Live · ${asOf}`];
  }
}

function clock(date) {
  return date ? date.toISOString().slice(11, 19) : "";
}

customElements.define("live-chip", LiveChip);
