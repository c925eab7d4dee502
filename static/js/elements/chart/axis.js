// The axis beside a chart: no label is cut, and all charts of a page have the same room, so that their times stand below each other.

const BESIDE_PX = 18; // tick, gap, and a little air
const LEAST_PX = 40;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** Steps of an axis of durations, in seconds: such as a clock has. */
export const CLOCK_STEPS = [
  ...[1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1].flatMap((unit) => [unit, 2 * unit, 5 * unit]),
  ...[1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100].map((n) => n * DAY),
];

/** Steps of an axis of things that are counted: there is no half a message, and 2.5 would be written as 3. */
export const WHOLE_STEPS = Array.from({ length: 16 }, (_none, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

let widest = LEAST_PX;

/** The `size` of a uPlot axis: as wide as the widest label on the page in this font. `all`: every chart of the page. */
export function roomFor(font, all) {
  return (chart, labels, index, cycle) => {
    if (cycle > 1) return chart.axes[index]._size; // it would be asked for ever where a label comes and goes
    if (!labels?.length) return widest;
    const { ctx } = chart;
    ctx.save();
    ctx.font = font;
    const own = Math.ceil(Math.max(...labels.map((label) => ctx.measureText(label).width))) + BESIDE_PX;
    ctx.restore();
    if (own > widest) {
      widest = own;
      queueMicrotask(() => all().forEach((each) => each !== chart && each.redraw(false, true)));
    }
    return widest;
  };
}
