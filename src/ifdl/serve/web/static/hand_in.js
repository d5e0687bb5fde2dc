// Hand in a picture: dropped, pasted or picked. The bytes go to this machine only, and as they are.

const token = document.querySelector('meta[name="page-token"]').content;
const status = document.getElementById("status");
const drop = document.getElementById("drop");
const input = document.getElementById("file");

function say(text) {
  status.hidden = false;
  status.textContent = text;
}

async function handIn(file) {
  say(`Reading ${file.name || "the pasted picture"}…`);
  try {
    const name = encodeURIComponent((file.name || "pasted.png").slice(-255));
    const answer = await fetch(`/pictures?name=${name}`, {
      method: "POST",
      headers: { "X-Ifdl-Token": token, "Content-Type": "application/octet-stream" },
      body: file,
    });
    const told = await answer.json();
    if (answer.ok) location.assign(told.location);
    else say(`Not taken: ${told.error.reason}`);
  } catch {
    say("Not taken: the service does not answer. Is `ifdl serve` still running?");
  }
}

function first(list) {
  if (list && list.length) handIn(list[0]);
}

input.addEventListener("change", () => first(input.files));
drop.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("paste", (event) => first(event.clipboardData && event.clipboardData.files));
for (const kind of ["dragover", "dragenter"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("near");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("near");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("near");
  first(event.dataTransfer && event.dataTransfer.files);
});
