// ---- one picture's answer, by one model or by two side by side ----------------------------------------------

let asked = 0, running = null;

// Ask about what `produce` gives; a later call ends this one.
async function classify(produce) {
  const mine = ++asked;
  if (running) running.abort();
  running = new AbortController();
  const { signal } = running;
  document.body.classList.add("busy");
  $("answer").setAttribute("aria-busy", "true");
  $("error").replaceChildren();
  try {
    const picture = await produce();
    if (mine !== asked) return;  // another picture came while this one was prepared
    const outcomes = await Promise.all(chosen().map((model) => outcome(predict(picture, model, signal), model)));
    if (mine === asked) showOutcomes(outcomes, picture.blob.type);
  } catch (error) {
    if (mine === asked && error.name !== "AbortError") showProblem(error);
  } finally {
    if (mine === asked) calm();
  }
}

// A model's answer or its problem; only an abort is thrown.
async function outcome(promise, model) {
  try {
    const [answer, roundTrip] = await promise;
    return { model, answer, roundTrip };
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    return { model, problem };
  }
}

function calm() {
  document.body.classList.remove("busy");
  $("answer").removeAttribute("aria-busy");
}

function forget(words) {
  asked += 1;  // whatever is under way is not for what is shown now
  calm();
  $("error").replaceChildren();
  showNothing(element("span", "soft", words || "The answer appears here."));
}

function showNothing(...summary) {
  $("summary").replaceChildren(...summary);
  $("bars").replaceChildren();
  $("result").hidden = $("first-name").hidden = $("other").hidden = true;
}

function problemBox(error) {
  const known = error instanceof Problem;
  const box = element("div", "note bad");
  box.append(element("p", "", known ? sentence(error.message) : "Something went wrong in this page: " + error.message));
  if (known && error.id) box.append(element("p", "small", "Request " + error.id));
  return box;
}

function showProblem(error) {
  $("error").replaceChildren(problemBox(error));
  showNothing();
}

function showOutcomes([first, second], type) {
  $("error").replaceChildren();
  if (first.problem) showProblem(first.problem); else showAnswer(first, type);
  $("first-name").hidden = $("other").hidden = !second;
  if (!second) return;
  $("first-name").textContent = nameOf(first);
  const summary = element("div", "summary"), bars = element("ol", "bars");
  summary.setAttribute("role", "status");
  bars.setAttribute("aria-label", "The best labels of " + nameOf(second));
  $("other").replaceChildren(element("h3", "small", nameOf(second)), summary);
  if (second.problem) {
    summary.append(problemBox(second.problem));
  } else {
    const { predictions, model } = second.answer;
    summary.append(...opinion(predictions[0]));
    bars.append(...predictions.map(bar));
    const took = "Answered in " + milliseconds(second.roundTrip) + (model.trained ? "" : " · " + (model.warning || "untrained"));
    $("other").append(bars, element("p", "soft small", took));
  }
}

const nameOf = ({ model, answer }) => answer ? answer.model.name : model || "A/B test";

const opinion = (best) => [
  element("strong", "", (best.score >= 0.9 ? "This is " : best.score >= 0.5 ? "Probably " : "Perhaps ") + quoted(best.label)),
  element("span", "soft", percent(best.score) + " sure"),
];

function showAnswer({ model, answer, roundTrip }, type) {
  $("summary").replaceChildren(...opinion(answer.predictions[0]));
  $("bars").replaceChildren(...answer.predictions.map(bar));
  showTime(answer, roundTrip);
  $("untrained").hidden = answer.model.trained;
  $("untrained").textContent = "This model is " + (answer.model.warning || "untrained") + ".";
  $("cold").hidden = !answer.cold_start;
  $("cold").textContent = "A cold start: the server process had only just begun and loaded the model first. The next answers come faster.";
  const kind = type || "image/jpeg";
  $("curl").textContent = "curl -H 'Content-Type: " + kind + "' --data-binary @picture." + kind.split("/")[1].replace("jpeg", "jpg")
    + " '" + location.origin + root + "predict/image" + (model && "?model=" + encodeURIComponent(model)) + "'";
  $("trace").textContent = "Model " + answer.model.name + " " + answer.model.version + spoke(answer.experiment) + "\nRequest " + answer.request_id;
  $("result").hidden = false;
}

const spoke = (experiment) => !experiment ? "" : ", arm " + experiment.arm + " of " + experiment.name
  + (experiment.fallback ? ", for B's model, which failed" : "");

function bar(prediction) {
  const item = element("li"), track = element("span", "track"), fill = element("span");
  track.setAttribute("aria-hidden", "true");
  track.append(fill);
  item.append(element("span", "label", prediction.label), element("span", "score", percent(prediction.score)), track);
  requestAnimationFrame(() => requestAnimationFrame(() => { fill.style.width = 100 * prediction.score + "%"; }));
  return item;
}

function showTime(answer, roundTrip) {
  const { decode, preprocess, inference, total } = answer.timing_ms;
  const parts = [["network", "Network", Math.max(0, roundTrip - total)]];
  const rest = total - decode - preprocess - inference;
  if (rest >= 1) parts.push(["loading", answer.cold_start ? "Loading" : "Other", rest]);
  parts.push(["decode", "Decode", decode], ["preprocess", "Preprocess", preprocess], ["inference", "Inference", inference]);
  $("total").textContent = "Answered in " + milliseconds(roundTrip);
  $("split").replaceChildren(...parts.map(([kind, , ms]) => {
    const piece = element("span", kind);
    piece.style.flex = Math.max(ms, 0.01) + " 0 0";
    return piece;
  }));
  $("parts").replaceChildren(...parts.map(([kind, name, ms]) => {
    const pair = element("div"), mark = element("i", kind), term = element("dt", "", name);
    term.prepend(mark, " ");
    pair.append(term, element("dd", "", milliseconds(ms)));
    return pair;
  }));
}
