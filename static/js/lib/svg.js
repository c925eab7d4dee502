// SVG elements, made one by one: no markup is ever parsed.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with presentation attributes; undefined and null ones are left out. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  set(element, attributes);
  element.append(...children);
  return element;
}

/** Writes attributes, only those that differ. */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) element.removeAttribute(name);
    else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
  }
}

/** One sign of the sprite. */
export function sign(name, attributes = {}) {
  const use = svg("use", { href: `${document.documentElement.dataset.sprite}#${name}` });
  return svg("svg", { class: "icon", "aria-hidden": "true", ...attributes }, use);
}
