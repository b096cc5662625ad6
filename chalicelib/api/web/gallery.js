// ---- several pictures: a tile for each, a few requests at once ----------------------------------------------

const IN_FLIGHT = 4, THUMBNAIL_PX = 240;
const CHOOSE = "Choose a picture below to see its whole answer.";
const WAITING = "waiting", BUSY = "busy", DONE = "done", FAILED = "failed";
// A tile is `{ file, name, item, picture, says, state, outcomes, problem, type }`: the file as it was given, its place
// on the page, and what each chosen model answered.
let tiles = [], shown = null, inFlight = 0, queue = [], stopping = new AbortController();

function addTiles(given, offered) {
  if (!tiles.length) {
    file = null;
    forget(CHOOSE);
  }
  const added = given.map(tileOf);
  tiles.push(...added);
  queue.push(...added);
  $("tiles").append(...added.map((tile) => tile.item));
  const left = offered - given.length;
  preview(null, left ? "The first " + MOST + " are taken; " + left + " are left out. The batch command takes any number." : "");
  showGallery();
}

function tileOf({ file: given, name }) {
  const item = element("li"), picture = element("span", "thumbnail"), says = element("span", "says");
  item.tabIndex = -1;  // for a focus whose button is gone
  return mark({ file: given, name, item, picture, says, outcomes: [], problem: null }, WAITING);
}

function pump() {
  while (inFlight < IN_FLIGHT && queue.length) {
    const tile = queue.shift();
    inFlight += 1;
    settle(tile, stopping.signal).finally(() => { inFlight -= 1; pump(); });
  }
  showGallery();
}

async function settle(tile, signal) {
  mark(tile, BUSY);
  try {
    const picture = await prepared(tile.file, tile.picture.hasChildNodes() ? 0 : THUMBNAIL_PX);
    if (picture.small) showThumbnail(tile, picture.small);
    const outcomes = [];
    for (const model of chosen()) {
      signal.throwIfAborted();
      outcomes.push(await outcome(patiently(picture, model, signal), model));
    }
    Object.assign(tile, { outcomes, type: picture.blob.type });
  } catch (error) {
    if (signal.aborted) return;  // whoever stopped it has said what becomes of the tile
    tile.problem = error;
  }
  mark(tile, tile.problem || tile.outcomes.some((one) => one.problem) ? FAILED : DONE);
  if (tile === shown) choose(tile);
}

// Ask anew about these tiles; if they are all of them, what is under way is ended first.
function restart(some) {
  if (some === tiles) halt();
  for (const tile of some) mark(Object.assign(tile, { outcomes: [], problem: null }), WAITING);
  queue.push(...some);
  pump();
}

// End what is under way; returns the tiles that have no answer for it.
function halt() {
  stopping.abort();
  stopping = new AbortController();
  queue = [];
  return tiles.filter((tile) => tile.state === WAITING || tile.state === BUSY);
}

const failures = () => tiles.filter((tile) => tile.state === FAILED);

$("stop").addEventListener("click", () => {
  for (const tile of halt()) mark(Object.assign(tile, { problem: new Problem("Stopped before an answer came.") }), FAILED);
  refresh();
  $("again").focus();
});
$("again").addEventListener("click", () => {
  restart(failures());
  refresh();
  $("stop").focus();
});
$("csv").addEventListener("click", () => save("slimception.csv", csvOf(tiles), "text/csv"));
$("remove").addEventListener("click", () => {
  halt();
  tiles = [];
  shown = null;
  $("tiles").replaceChildren();
  showGallery();
  forget();
  preview(null, "");
  $("choose").focus();
});

// ---- what the gallery shows ---------------------------------------------------------------------------------

function mark(tile, state) {
  const focused = tile.item.contains(document.activeElement);
  tile.state = state;
  tile.item.className = state;
  tile.says.replaceChildren(...state === DONE || state === FAILED ? linesOf(tile) : [element("span", "soft", state === BUSY ? "…" : "")]);
  const whole = tile.outcomes.some((one) => one.answer);
  const body = element(whole ? "button" : "div", "tile");
  if (whole) {
    body.type = "button";
    body.addEventListener("click", () => {
      choose(tile);
      $("answer").scrollIntoView({ block: "nearest" });
    });
  }
  body.append(tile.picture, tile.says, element("span", "name soft small", tile.name));
  tile.item.replaceChildren(body);
  if (state === FAILED) tile.item.append(againButton(tile));
  if (focused) (tile.item.querySelector("button") || tile.item).focus();
  if (state === DONE || state === FAILED) showGallery();
  return tile;
}

function linesOf({ outcomes, problem }) {
  const reasons = new Set(problem ? [problem.message] : outcomes.map((one) => one.problem && one.problem.message));
  if (reasons.size === 1 && !reasons.has(undefined)) return [element("span", "why", sentence(...reasons))];
  const labels = new Set(outcomes.map((one) => one.answer && one.answer.predictions[0].label));
  const lines = outcomes.flatMap((one) => {
    const best = one.answer && one.answer.predictions[0];
    const words = best ? [element("strong", "", best.label), element("span", "score soft", percent(best.score))] : [element("span", "why", sentence(one.problem.message))];
    const line = element("span", "line");
    line.append(...words);
    return outcomes.length > 1 ? [element("span", "soft small", nameOf(one)), line] : [line];
  });
  return labels.size > 1 ? [...lines, element("span", "differs", "They differ")] : lines;
}

function againButton(tile) {
  const button = element("button", "again", "Try again");
  button.type = "button";
  button.setAttribute("aria-label", "Try " + tile.name + " again");
  button.addEventListener("click", () => restart([tile]));
  return button;
}

function showThumbnail(tile, blob) {
  const image = element("img"), url = URL.createObjectURL(blob);
  image.alt = "";
  image.decoding = "async";
  image.onload = image.onerror = () => URL.revokeObjectURL(url);
  image.src = url;
  tile.picture.replaceChildren(image);
}

function choose(tile) {
  shown = tile;
  asked += 1;
  calm();
  for (const other of document.querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  tile.item.firstChild.setAttribute("aria-current", "true");
  preview(tile.file, tile.name);
  setMode("picture");
  if (tile.outcomes.length) showOutcomes(tile.outcomes, tile.type); else showProblem(tile.problem);
}

let due = 0;

// At most once a frame, however many tiles change.
function showGallery() {
  if (!due) due = requestAnimationFrame(refresh);
}

function refresh() {
  cancelAnimationFrame(due);
  due = 0;
  const failed = failures().length, open = tiles.filter((tile) => tile.state === WAITING || tile.state === BUSY).length;
  $("gallery").hidden = !tiles.length;
  document.body.classList.toggle("many", tiles.length > 0);
  $("progress").max = Math.max(1, tiles.length);
  $("progress").value = tiles.length - open;
  $("count").textContent = (tiles.length - open - failed) + " of " + counted(tiles.length, "picture", "pictures") + " answered"
    + (failed ? ", " + failed + " failed" : "");
  $("stop").hidden = !open;
  $("again").hidden = !failed || open > 0;
  speak(open);
}

// Screen readers get the count at the quarters and at the end, not with each picture.
function speak(open) {
  const quarter = tiles.length && Math.floor(4 * (tiles.length - open) / tiles.length);
  if (quarter === Number($("spoken").dataset.quarter)) return;
  $("spoken").dataset.quarter = quarter;
  $("spoken").textContent = quarter ? $("count").textContent : "";
}
