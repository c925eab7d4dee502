// A labelled line across a chart; where it lies above what is drawn, its label says so.

import { colour } from "./gaps.js";

const ROOM_PX = 6;

export function drawLimit(chart, limit) {
  if (!limit) return;
  const { ctx, bbox } = chart;
  const inside = limit.value <= chart.scales.y.max;
  const y = inside ? Math.round(chart.valToPos(limit.value, "y", true)) : bbox.top;
  ctx.save();
  ctx.strokeStyle = colour("--warn");
  ctx.fillStyle = colour("--muted");
  ctx.font = `${12 * devicePixelRatio}px system-ui`;
  ctx.textAlign = "right";
  ctx.textBaseline = y - bbox.top < 20 * devicePixelRatio ? "top" : "bottom";
  if (inside) {
    ctx.setLineDash([8 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  const room = ROOM_PX * devicePixelRatio;
  ctx.fillText(inside ? limit.words : `${limit.words} ↑`, bbox.left + bbox.width - room, ctx.textBaseline === "top" ? y + room : y - room);
  ctx.restore();
}
