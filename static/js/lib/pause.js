// Pause and live again. A paused page has absolute times in its address, so that the link shows what was paused.

import { say } from "./say.js";
import { serverTime } from "./times.js";

class Pause extends EventTarget {
  paused = false;
  since = null;
  held = 0;
  #liveUrl = "";
  #pausedUrl = "";

  toggle() {
    const button = document.getElementById("pause");
    if (!button) {
      document.getElementById("back-to-live")?.click();
      return;
    }
    this.paused = !this.paused;
    this.since = this.paused ? new Date(serverTime()) : null;
    if (this.paused) {
      this.#liveUrl = location.href;
      history.replaceState(history.state, "", this.#absolute(button));
      this.#pausedUrl = location.href;
    } else {
      history.replaceState(history.state, "", this.#resumed());
    }
    button.textContent = this.paused ? "Resume" : "Pause";
    say(this.paused ? "Paused" : "Live again");
    this.dispatchEvent(new CustomEvent("change"));
    if (!this.paused) this.held = 0;
  }

  /** Counts an update that is not drawn now. */
  hold() {
    this.held += 1;
    this.dispatchEvent(new CustomEvent("change"));
  }

  /** Live again, with what was selected or looked for meanwhile. */
  #resumed() {
    if (location.href === this.#pausedUrl) return this.#liveUrl;
    const [url, live] = [new URL(location.href), new URL(this.#liveUrl).searchParams];
    for (const name of ["from", "to"]) {
      if (live.has(name)) url.searchParams.set(name, live.get(name));
      else url.searchParams.delete(name);
    }
    return url;
  }

  #absolute(button) {
    const seconds = Number(button.dataset.seconds);
    const url = new URL(location.href);
    const stamp = (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
    url.searchParams.set("from", stamp(this.since.getTime() - seconds * 1000));
    url.searchParams.set("to", stamp(this.since.getTime()));
    return url;
  }
}

export const pause = new Pause();

export function startPause() {
  document.getElementById("pause")?.addEventListener("click", (event) => {
    event.preventDefault();
    pause.toggle();
  });
}
