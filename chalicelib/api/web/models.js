// ---- models and modes --------------------------------------------------------------------------------------

let cards = [], current = null, experiment = null;

const cardOf = (name) => cards.find((card) => name ? card.name === name : card.default);
const isDigits = (card) => card.source.kind === "digits" || card.input.color === "L" && card.output.classes === 10;

// The models that are asked about each picture, one or two; "" leaves the choice to the server's A/B test.
const chosen = () => [$("model").value, ...$("compare").value ? [$("compare").value] : []];

// What the models that may answer take.
const inputs = () => chosen().flatMap((name) => name || !experiment ? [name] : [experiment.first, experiment.second])
  .map(cardOf).filter(Boolean).map((card) => card.input);

function setMode(mode) {
  for (const name of ["draw", "picture"]) {
    $(name).hidden = name !== mode;
    $("mode-" + name).setAttribute("aria-pressed", String(name === mode));
  }
}

for (const mode of ["draw", "picture"]) $("mode-" + mode).addEventListener("click", () => setMode(mode));

function useModels() {
  current = cardOf($("model").value);
  offerComparison();
  const digits = isDigits(current), { input, output } = current;
  $("modes").hidden = !digits;
  $("tagline").textContent = digits ? "Draw a digit, or show pictures of digits." : "Show it pictures, and it says what it sees.";
  $("about").textContent = [output.classes + " classes", input.width + " × " + input.height + (input.color === "L" ? " grey" : "") + " pixels",
    current.quantization, bytes(current.size_bytes), current.trained ? "" : "untrained"].filter(Boolean).join(" · ");
  const assumed = current.warnings || [];
  $("assumed").hidden = !assumed.length;
  $("assumed").replaceChildren(...assumed.map((warning) => element("li", "", sentence(warning))));
  document.body.classList.toggle("two", Boolean($("compare").value));
  setMode(digits && !file && !tiles.length ? "draw" : "picture");
  forget(tiles.length ? CHOOSE : "");
  if (tiles.length) restart(tiles);
  else if (file) classifyFile();
}

// Where two models are installed, a second one may be asked about the same pictures.
function offerComparison() {
  const before = $("compare").value, others = cards.map((card) => card.name).filter((name) => name !== $("model").value);
  $("comparison").hidden = cards.length < 2;
  $("compare").replaceChildren(new Option("no other", ""), ...others.map((name) => new Option(name, name, false, name === before)));
}

async function start() {
  $("error").replaceChildren();
  try {
    const [body] = await ask("models", {});
    cards = body.models.filter((card) => !card.error);
    if (!cards.length) throw new Problem("No model is installed that can be served.", { id: body.request_id });
    experiment = cards.some((card) => card.default) && body.experiment || null;  // its first model is the default
    const options = cards.map((card) => new Option(card.name, card.name, card.default, card.default && !experiment));
    if (experiment) options.unshift(new Option("A/B test: " + experiment.first + " or " + experiment.second, "", false, true));
    $("model").replaceChildren(...options);
    $("model").disabled = false;
    useModels();
  } catch (error) {
    showProblem(error);
  }
}

for (const select of ["model", "compare"]) $(select).addEventListener("change", useModels);
if (navigator.maxTouchPoints || matchMedia("(any-pointer: coarse)").matches) document.body.classList.add("touch");
wipe();
start();
