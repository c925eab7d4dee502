// How wide the labels beside a chart are: none is cut, none takes room from the lines.

const BESIDE_PX = 18; // tick, gap, and a little air
const LEAST_PX = 40;

/** The `size` of a uPlot axis: as wide as its widest label in this font. */
export function roomFor(font) {
  return (chart, labels, index, cycle) => {
    if (cycle > 1) return chart.axes[index]._size; // it would be asked for ever where a label comes and goes
    if (!labels?.length) return LEAST_PX;
    const { ctx } = chart;
    ctx.save();
    ctx.font = font;
    const widest = Math.max(...labels.map((label) => ctx.measureText(label).width));
    ctx.restore();
    return Math.max(LEAST_PX, Math.ceil(widest) + BESIDE_PX);
  };
}
