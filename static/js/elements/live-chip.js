// <live-chip>: how old the newest data is, and why it may be older than it should.

import { live } from "../lib/live.js";
import { pause } from "../lib/pause.js";
import { say } from "../lib/say.js";
import { sign } from "../lib/svg.js";
import { duration } from "../lib/format.js";
import { serverTime } from "../lib/times.js";

const SOURCES = ["fold", "scan", "page"]; // counts of spans, samples of brokers, the page's own reading
const WHY = { fold: "Spans are counted late.", scan: "The lag sampler has not reported.", all: "Neither counts nor samples came since." };

class LiveChip extends HTMLElement {
  #at = new Map();
  #heardAt = serverTime();
  #parts = new Set();
  #timer = 0;
  #said = "";

  connectedCallback() {
    for (const name of SOURCES) if (name in this.dataset) this.#at.set(name, Date.parse(this.dataset[name]) || null);
    this.chip = this.querySelector(".chip-live");
    this.text = document.createElement("span");
    this.icon = sign(this.chip.dataset.state);
    this.chip.replaceChildren(this.icon, this.text);
    this.#timer = setInterval(() => !document.hidden && this.#draw(), 1000);
    live.addEventListener("state", () => this.#draw());
    live.addEventListener("message", (event) => !pause.paused && this.#hear(event.detail));
    pause.addEventListener("change", () => this.#draw());
    document.addEventListener("visibilitychange", () => !document.hidden && this.#draw());
    this.#draw();
  }

  disconnectedCallback() {
    clearInterval(this.#timer);
  }

  /** A message brings the times of the newest data. */
  #hear(message) {
    for (const facts of Object.values(message.about ?? {})) if (facts) this.renew({ fold: facts.folded_at, scan: facts.scanned_at });
  }

  /** Data came: {fold, scan, page} are ISO times, those that are not known are left out. */
  renew(times) {
    for (const name of this.#at.keys()) if (times[name]) this.#at.set(name, Math.max(this.#at.get(name), Date.parse(times[name])));
    this.#heardAt = serverTime();
    this.#draw();
  }

  /** A part of the page could not be fetched (or could again): what it shows is older than the chip's own data. */
  late(part, isLate) {
    if (isLate) this.#parts.add(part);
    else this.#parts.delete(part);
    this.#draw();
  }

  #draw() {
    const late = this.#lateSources();
    const [state, text] = this.#label(late);
    if (this.chip.dataset.state !== state) {
      this.chip.dataset.state = state;
      const icon = sign(state);
      this.icon.replaceWith(icon);
      this.icon = icon;
      if (this.#said && state !== "paused") say(text);
      this.#said = state;
    }
    write(this.text, text);
    if (!pause.paused) this.#blame(late);
  }

  /** Sources that are older than they may be; without a socket they are judged when they were last heard of. */
  #lateSources() {
    const now = live.state === "live" ? serverTime() : this.#heardAt;
    return [...this.#at.keys()].filter((name) => this.#at.get(name) && now - this.#at.get(name) > Number(this.dataset[`${name}Limit`]) * 1000);
  }

  /** Says on the page which of its numbers are old, and why. */
  #blame(late) {
    const told = late.filter((name) => name !== "page");
    const line = document.getElementById("late");
    if (document.body.dataset.late !== told.join(" ")) {
      document.body.dataset.late = told.join(" ");
      document.dispatchEvent(new CustomEvent("late"));
    }
    if (!line) return;
    line.hidden = told.length === 0;
    if (told.length) write(line.querySelector("span"), `As of ${this.#age(told)} ago. ${told.length > 1 ? WHY.all : WHY[told[0]]}`);
  }

  #age(names) {
    const known = names.map((name) => this.#at.get(name)).filter(Boolean);
    if (!known.length) return null;
    const seconds = Math.max(0, Math.floor((serverTime() - Math.min(...known)) / 1000));
    return seconds < 60 ? `${seconds} s` : duration(seconds);
  }

  #label(late) {
    const asOf = `as of ${this.#age([...this.#at.keys()]) ?? "?"}`;
    if (pause.paused) return ["paused", `Paused at ${clock(pause.since)} · ${pause.held} ${pause.held === 1 ? "update" : "updates"} held`];
    if (live.state === "ended") return ["delayed", `Session ended · ${asOf}`];
    if (live.state === "polling") return ["polling", "Polling every 10 s"];
    if (live.state === "reconnecting") {
      const wait = Math.max(0, Math.ceil((live.retryAt - Date.now()) / 1000));
      return ["reconnecting", `Reconnecting in ${wait} s · ${asOf}`];
    }
    if (this.#parts.size || late.length) return ["delayed", `Delayed · ${asOf}`];
    return ["live", `Live · ${asOf}`];
  }
}

function clock(date) {
  return date ? date.toISOString().slice(11, 19) : "";
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

customElements.define("live-chip", LiveChip);
