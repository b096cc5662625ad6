// ---- the results as CSV -------------------------------------------------------------------------------------

const FORMULA = /^[=+\-@\t\r\n]/;  // a spreadsheet would take such a text for a formula, as the batch's CSV says, too

function cell(value) {
  const text = typeof value === "string" && FORMULA.test(value) ? "'" + value : String(value);
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

// A header, then a line for each picture and model that was asked about it.
function csvOf(some) {
  const rows = some.flatMap(({ name, problem, outcomes }) => {
    if (problem || !outcomes.length) return [[name, "", "", "", problem ? problem.message : "no answer yet"]];
    return outcomes.map((one) => {
      const best = one.answer && one.answer.predictions[0];
      return best ? [name, best.label, best.score, one.answer.model.name, ""] : [name, "", "", one.model, one.problem.message];
    });
  });
  return [["file", "label", "score", "model", "error"], ...rows].map((row) => row.map(cell).join(",") + "\n").join("");
}

function save(name, text, type) {
  const link = element("a"), url = URL.createObjectURL(new Blob([text], { type }));
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);  // not at once: the browser may not have begun to read it
}
