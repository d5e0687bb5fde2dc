"use strict";
const sheet = document.body.dataset.sheet;
const rows = [...document.querySelectorAll("section")];
const rater = document.getElementById("rater");
const store = "ifdl-sheet-" + sheet;
const chosen = row => row.querySelector("input:checked")?.value ?? null;

function state() {
  const choices = rows.map((row, n) => ({ row: n, choice: chosen(row) })).filter(c => c.choice);
  return { schema: "ifdl-choices-1", sheet, rater: rater.value, of: rows.length, choices };
}
function count() {
  document.getElementById("count").textContent = `${state().choices.length} of ${rows.length} chosen`;
}
function keep() {
  const now = state();
  count();
  try { localStorage.setItem(store, JSON.stringify(now)); } catch { /* a private window keeps nothing */ }
}
function restore() {
  try {
    const before = JSON.parse(localStorage.getItem(store));
    if (before?.sheet !== sheet) return;
    rater.value = before.rater ?? "";
    for (const c of before.choices) pick(rows[c.row], c.choice);
  } catch { /* nothing was kept */ }
}
function pick(row, value) {
  const input = row && [...row.querySelectorAll("input")].find(i => i.value === value);
  if (input) input.checked = true;
}
function current() {
  const own = document.activeElement?.closest?.("section");
  if (own) return rows.indexOf(own);
  const seen = rows.findIndex(row => row.getBoundingClientRect().bottom > innerHeight / 3);
  return seen < 0 ? rows.length - 1 : seen;
}
function go(n) {
  const row = rows[Math.max(0, Math.min(rows.length - 1, n))];
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "start" });
}
function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(state(), null, 1)], { type: "application/json" }));
  link.download = `choices-${sheet.slice(0, 8)}-${rater.value.replace(/[^\w-]+/g, "_") || "rater"}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
document.addEventListener("change", keep);
rater.addEventListener("input", keep);
document.getElementById("save").addEventListener("click", save);
document.addEventListener("keydown", event => {
  if (event.target === rater || event.ctrlKey || event.metaKey || event.altKey) return;
  const value = { 1: "left", 2: "tie", 3: "right" }[event.key];
  if (value) { const n = current(); pick(rows[n], value); keep(); go(n + 1); }
  else if (event.key === "n") go(current() + 1);
  else if (event.key === "p") go(current() - 1);
  else if (event.key === "s") save();
  else return;
  event.preventDefault();
});
restore();
count();  // nothing is written before a choice is made: what could not be read yet must not be lost
