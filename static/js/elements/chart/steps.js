// A chart by keyboard: arrows move the crosshair of all charts, with Shift they select, Enter zooms, Escape lets go.

export class Steps {
  #index = null;
  #anchor = null;

  /** `chart` gives the uPlot; `all` every chart of the page; `choose` takes the selected [from, to] in seconds. */
  constructor(plot, { chart, all, choose }) {
    plot.tabIndex = 0;
    plot.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const own = chart();
      if (!own) return;
      if (by) this.#move(own, all(), by, event.shiftKey);
      else if (event.key === "Enter" && this.#anchor !== null) choose(...this.#span(own));
      else if (event.key === "Escape" && this.#index !== null) this.#let(own, all());
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    plot.addEventListener("blur", () => chart() && this.#let(chart(), all()));
  }

  #move(own, all, by, selects) {
    const at = own.data[0];
    const from = this.#index ?? (by > 0 ? -1 : at.length);
    if (selects) this.#anchor ??= Math.min(at.length - 1, Math.max(0, from));
    this.#index = Math.min(at.length - 1, Math.max(0, from + by));
    for (const each of all) each.setCursor({ left: each.valToPos(at[this.#index], "x"), top: 8 }); // plots differ in width
    if (!selects) this.#anchor = null;
    this.#show(own);
  }

  #show(own) {
    if (this.#anchor === null) {
      own.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      return;
    }
    const [from, to] = this.#span(own).map((second) => own.valToPos(second, "x"));
    own.setSelect({ left: from, top: 0, width: to - from, height: own.over.clientHeight }, false);
  }

  #span(own) {
    const at = own.data[0];
    return [Math.min(this.#anchor, this.#index), Math.max(this.#anchor, this.#index)].map((index) => at[index]);
  }

  #let(own, all) {
    this.#anchor = null;
    this.#index = null;
    this.#show(own);
    for (const each of all) each.setCursor({ left: -10, top: -10 });
  }
}
