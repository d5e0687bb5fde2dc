// Notes and marks of people: sent to the case, and what it then holds shown in their place.

const token = document.querySelector('meta[name="page-token"]').content;

function say(text) {
  const place = document.getElementById("people-said");
  if (place) place.textContent = text;
}

async function post(address, body) {
  const answer = await fetch(address, {
    method: "POST",
    headers: { "X-Ifdl-Token": token, "Content-Type": "text/plain; charset=utf-8" },
    body,
  });
  if (!answer.ok) throw new Error((await answer.json()).error.reason);
  return answer;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const { post: write, go } = form.dataset;
  if (!write && !go) return;
  event.preventDefault();
  try {
    if (go) {
      location.assign((await (await post(go, "")).json()).location);
      return;
    }
    const from = event.submitter;
    const text = from && from.value ? from.value : form.querySelector("textarea").value;
    const answer = await post(write, text);
    document.getElementById("analyst").innerHTML = await answer.text(); // rendered and escaped by the page's templates
    const back = from && document.getElementById(from.id === "note-add" ? "note-text" : from.id);
    if (back) back.focus({ preventScroll: true });
    say(from && from.value ? "The mark is in the case." : "The note is in the case.");
  } catch (error) {
    say(`Not written: ${error.message || "the service does not answer."}`);
  }
});
