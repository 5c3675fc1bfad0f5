// Elements of the page, and when they are drawn again.

export const byId = (id) => document.getElementById(id);

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function make(name, properties = {}, children = []) {
  const element = document.createElement(name);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

export function draw(name, attributes = {}, children = []) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const stale = new Set();

/** Schedules what has to be drawn again: once a frame, and not while the page is hidden. */
export function refresh(...shows) {
  if (stale.size === 0) requestAnimationFrame(flush);
  for (const show of shows) stale.add(show);
}

function flush() {
  const shows = [...stale];
  stale.clear();
  for (const show of shows) show();
}
