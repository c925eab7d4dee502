// Stretches without a sample, hatched; the lines of changes; the colours of tokens.css.

/** Stretches [from, to] where no line has a value. */
export function gaps(at, lines) {
  const found = [];
  at.forEach((moment, index) => {
    if (index === 0 || lines.some((values) => values[index] !== null)) return;
    const last = found.at(-1);
    if (last && last[1] === at[index - 1]) last[1] = moment;
    else found.push([at[index - 1], moment]);
  });
  return found;
}

/** Indices of values with none beside them: a line alone would not show them. */
export function lonely(chart, series) {
  const values = chart.data[series];
  const isNone = (value) => value === null || value === undefined;
  return values.flatMap((value, index) => (!isNone(value) && isNone(values[index - 1]) && isNone(values[index + 1]) ? [index] : []));
}

export function hatchGaps(chart) {
  const { ctx, bbox } = chart;
  const [at, ...lines] = chart.data;
  for (const [from, to] of gaps(at, lines)) {
    const left = chart.valToPos(from, "x", true);
    const width = chart.valToPos(to, "x", true) - left;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colour("--sunken"); // a short one of a long time is some pixels wide
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.beginPath();
    for (let x = left - bbox.height; x < left + width; x += 10) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.strokeStyle = colour("--border");
    ctx.lineWidth = 1;
    ctx.stroke();
    if (width > 60 * devicePixelRatio) {
      ctx.fillStyle = colour("--muted");
      ctx.font = `${12 * devicePixelRatio}px system-ui`;
      ctx.textAlign = "center";
      ctx.fillText("no data", left + width / 2, bbox.top + 16 * devicePixelRatio);
    }
    ctx.restore();
  }
}

/** A thin line down the plot at each change. */
export function drawMarks(chart, marks) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  for (const mark of marks) {
    const x = Math.round(chart.valToPos(mark.at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
  }
  ctx.strokeStyle = colour("--border");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.stroke();
  ctx.restore();
}

/** The colour of a token as the browser resolves it for the present theme. */
export function colour(token) {
  const probe = document.createElement("i");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
