// Replay: moves the moment along the track, by scrubbing or playing. Frames are fetched ahead, one request at a time.

import { label, stamp } from "../lib/moments.js";
import { alarm, say } from "../lib/say.js";
import { Frames } from "./frames.js";

const SETTLED_MS = 300; // after the last move the page is fetched for the moment
const ADDRESS_MS = 1000;
const CALM_MS = 1000; // least time between two pictures, where little motion is wanted

/** Without this script nothing moves: the controls stand hidden in the markup, of a page that is fetched too. */
export function showControls(page) {
  for (const element of page.querySelectorAll("#replay :is([data-play], .speed, [data-scrub])")) element.hidden = false;
}

/** `show` draws a frame as a snapshot, `visit` fetches the page of an address and then has its section adopted. */
export function startReplay({ show, visit }) {
  if (!document.querySelector("#replay [data-scrub]")) return null;
  const player = new Player(show, visit);
  document.addEventListener("click", ({ target }) => target.closest("[data-play]") && player.toggle());
  document.addEventListener("input", ({ target }) => target.matches("[data-scrub]") && player.scrub(Number(target.value)));
  document.addEventListener("change", ({ target }) => target.matches("[data-speed]") && player.retime());
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || !event.target.matches("[data-scrub]")) return;
    event.preventDefault();
    player.toggle();
  });
  addEventListener("pagehide", () => player.halt());
  return player;
}

class Player {
  #show;
  #visit;
  #frames = null;
  #of = ""; // what the frames are of
  #timer = 0;
  #settling = 0;
  #told = 0;
  #index = 0;
  #to = 0; // the moment it stands at, for every page's track has a beginning of its own
  #speed = "";
  playing = false;

  constructor(show, visit) {
    this.#show = show;
    this.#visit = visit;
    showControls(document);
    this.adopt();
  }

  /** The section that is on the page now: every visit brings another one. */
  get section() {
    return document.getElementById("replay");
  }

  get #range() {
    return this.section.querySelector("[data-scrub]");
  }

  get #step() {
    return Number(this.section.dataset.step) * 1000;
  }

  toggle() {
    if (this.playing) this.#settle();
    else this.#play();
  }

  halt() {
    clearTimeout(this.#timer);
    this.playing = false;
    delete document.body.dataset.replaying;
    this.#name("Play");
  }

  /** Another speed from the next picture on. */
  retime() {
    this.#speed = this.section.querySelector("[data-speed]").value;
    if (!this.playing) return;
    clearTimeout(this.#timer);
    this.#next();
  }

  /** Moves to this step, and fetches the page of it when nothing moves any more. */
  scrub(index) {
    if (this.playing) this.halt();
    this.#move(index);
    const frame = this.#frames.at(this.#ends(index));
    if (frame) this.#draw(frame);
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#settle(), SETTLED_MS);
  }

  /** Another page is asked for: what plays stops, and the page of the moment is not asked for. */
  leave() {
    clearTimeout(this.#settling);
    if (this.playing) this.halt();
  }

  #play() {
    clearTimeout(this.#settling);
    if (this.#index >= Number(this.#range.max)) this.#move(0);
    this.playing = true;
    document.body.dataset.replaying = "";
    this.#name("Pause");
    say("Playing");
    this.#next();
  }

  /** Draws the frame of the moment when it is there, and comes again. */
  async #next() {
    if (!this.playing) return;
    const [wait, by] = this.#pace();
    const index = Math.min(Number(this.#range.max), this.#index + by);
    if (!document.hidden) {
      const frame = this.#frames.at(this.#ends(index)) ?? (await this.#fetched(index));
      if (!this.playing) return;
      if (!frame) {
        this.#settle();
        return;
      }
      this.#move(index);
      this.#draw(frame);
      this.#frames.ahead(this.#ends(index), this.#ends(Number(this.#range.max))).catch((error) => this.#fail(error));
      if (index >= Number(this.#range.max)) {
        say("End of the track");
        this.#settle();
        return;
      }
    }
    this.#timer = setTimeout(() => this.#next(), wait);
  }

  async #fetched(index) {
    this.section.setAttribute("aria-busy", "true");
    try {
      return await this.#frames.fetch(this.#ends(index));
    } catch (error) {
      this.#fail(error);
      return null;
    } finally {
      this.section.removeAttribute("aria-busy");
    }
  }

  #fail(error) {
    if (!(error instanceof TypeError)) throw error; // the server cannot be reached
    if (this.playing) alarm("The replay cannot be read now. Press Play to try again.");
    this.halt();
  }

  /** Milliseconds to the next picture, and how many steps it is away. */
  #pace() {
    const ms = this.#step / Number(this.section.querySelector("[data-speed]").value);
    const by = matchMedia("(prefers-reduced-motion: reduce)").matches ? Math.max(1, Math.round(CALM_MS / ms)) : 1;
    return [ms * by, by];
  }

  #ends(index) {
    return Date.parse(this.section.dataset.from) + index * this.#step;
  }

  #draw(frame) {
    this.#show({ kind: "snapshot", nodes: frame.nodes, edges: frame.edges, n_idle: frame.nIdle });
    document.getElementById("graph").classList.toggle("unseen", !frame.isSeen);
    const told = this.section.querySelector("[data-told]");
    const text = frame.isSeen ? "Waiting and processing times are read when it stands" : "Nobody looked at this moment: what flowed is unknown";
    if (told.textContent !== text) told.textContent = text;
  }

  /** The moment in words and in the address. Whoever moves ends a comparison. */
  #move(index) {
    const range = this.#range;
    const to = this.#ends(index);
    [this.#index, this.#to] = [index, to];
    const from = to - Number(this.section.dataset.window) * 1000;
    range.value = String(index);
    range.setAttribute("aria-valuetext", label(from, to));
    for (const element of document.querySelectorAll("[data-moment]")) element.textContent = label(from, to);
    for (const element of document.querySelectorAll("[data-past]")) element.textContent = `Past · ${label(from, to)}`;
    if ("compares" in this.section.dataset) {
      delete this.section.dataset.compares;
      for (const id of ["attention", "difference-rows", "unsure", "panel-both"]) document.getElementById(id)?.setAttribute("hidden", "");
      say("Comparison ended");
    }
    if (!this.playing || Date.now() - this.#told > ADDRESS_MS) this.#address(from, to);
  }

  #address(from, to) {
    this.#told = Date.now();
    const url = new URL(location.href);
    url.searchParams.delete("vs");
    url.searchParams.set("from", stamp(from));
    url.searchParams.set("to", stamp(to));
    history.replaceState(history.state, "", url);
  }

  /** It stands: the page of this moment comes from the server. */
  async #settle() {
    this.halt();
    const to = this.#ends(this.#index);
    this.#address(to - Number(this.section.dataset.window) * 1000, to);
    await this.#visit(new URL(location.href), { push: false });
  }

  /** The section is another one: it gets what the person chose, and who plays already goes on. */
  adopt() {
    const { section } = this;
    const speed = section.querySelector("[data-speed]");
    if ([...speed.options].some(({ value }) => value === this.#speed)) speed.value = this.#speed;
    if (this.playing) {
      this.#name("Pause");
      this.#move(Math.min(Number(this.#range.max), Math.max(0, Math.round((this.#to - this.#ends(0)) / this.#step))));
    } else {
      this.#index = Number(this.#range.value);
      document.getElementById("graph").classList.remove("unseen"); // the page's own picture
    }
    const here = new URL(location.href).searchParams;
    const of = JSON.stringify([this.#step, section.dataset.window, here.getAll("show"), here.getAll("cluster")]);
    if (this.#of !== of) this.#frames = new Frames(section.dataset.frames, this.#step, Number(section.dataset.window) * 1000);
    this.#of = of;
  }

  #name(word) {
    this.section.querySelector("[data-play]").textContent = word;
  }
}
