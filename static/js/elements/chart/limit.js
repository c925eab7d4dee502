// A labelled line across a chart; where it lies above what is drawn, its label stands above the lines and says so.

import { colour } from "./gaps.js";

export const LIMIT_PX = 20; // kept free above the lines for a label
const ROOM_PX = 4;

export function drawLimit(chart, limit) {
  if (!limit) return;
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  const inside = limit.value <= chart.scales.y.max;
  const y = inside ? Math.round(chart.valToPos(limit.value, "y", true)) : bbox.top;
  const words = inside ? limit.words : `${limit.words} ↑`;
  const right = bbox.left + bbox.width - ROOM_PX * ratio;
  const above = y - ROOM_PX * ratio;
  ctx.save();
  ctx.strokeStyle = colour("--warn");
  ctx.font = `${12 * ratio}px system-ui`;
  ctx.textAlign = "right";
  ctx.textBaseline = "bottom";
  if (inside) {
    ctx.setLineDash([8 * ratio, 4 * ratio]);
    ctx.lineWidth = ratio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  const width = ctx.measureText(words).width + 2 * ROOM_PX * ratio;
  ctx.fillStyle = colour("--surface"); // no line shows through the words
  ctx.fillRect(right - width + ROOM_PX * ratio, above - 14 * ratio, width, 14 * ratio);
  ctx.fillStyle = colour("--muted");
  ctx.fillText(words, right, above);
  ctx.restore();
}
