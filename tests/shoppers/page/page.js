// Asks for the figures every second, and sends the rate that is wanted.
const at = (id) => document.getElementById(id);
const rates = [];

async function set(rate) {
  await fetch(`/rate?rate=${rate}`, { method: "POST", headers: { "x-from-page": "1" } });
  await show();
}

async function show() {
  let figures;
  try {
    figures = await (await fetch("/figures")).json();
  } catch {
    at("error").textContent = "The load tester has ended.";
    return;
  }
  const { wanted, moment, all, first_error: error } = figures;
  at("wanted").textContent = `${wanted}/s`;
  at("now").textContent = `${moment.rate.toFixed(0)}/s`;
  at("p50").textContent = `${moment.p50_ms.toFixed(1)} ms`;
  at("p99").textContent = `${moment.p99_ms.toFixed(1)} ms`;
  at("errors").textContent = moment.errors;
  at("all").textContent = all.requests;
  at("error").textContent = error ? `The first error: ${error}` : "";
  rates.push(moment.rate);
  if (rates.length > 120) rates.shift();
  const most = Math.max(1, ...rates);
  const points = rates.map((rate, index) => `${120 - rates.length + index},${100 - (95 * rate) / most}`);
  at("line").setAttribute("points", points.join(" "));
}

at("rate").addEventListener("input", () => { at("number").value = at("rate").value; });
at("number").addEventListener("input", () => { at("rate").value = at("number").value; });
at("form").addEventListener("submit", (event) => { event.preventDefault(); set(at("number").value); });
at("stop").addEventListener("click", () => set(0));
setInterval(show, 1000);
show();
