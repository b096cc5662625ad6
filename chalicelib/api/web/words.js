"use strict";
const $ = (id) => document.getElementById(id);

class Problem extends Error {
  // What went wrong, as the page says it. `id` and `status` are those of the response, `waitMs` what its Retry-After says.
  constructor(message, { id, status, waitMs } = {}) { super(message); Object.assign(this, { id, status, waitMs }); }
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const bytes = (n) => n < 1000 ? n + " B" : n < 1e6 ? Math.round(n / 1e3) + " kB" : (n / 1e6).toFixed(1) + " MB";
const milliseconds = (n) => (n < 10 ? n.toFixed(1) : Math.round(n)) + " ms";
const percent = (p) => p < 0.0005 ? "< 0.1%" : p >= 0.9995 ? "> 99.9%" : (100 * p).toFixed(1) + "%";
const quoted = (label) => "“" + label + "”";
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
const counted = (n, one, many) => n + " " + (n === 1 ? one : many);
