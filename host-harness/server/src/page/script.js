"use strict";
// The page works without this script. It keeps the place when a form changes its shape, and shows the
// results of an execution as they come. All HTML comes from the server, which escapes every value.

const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

// Buttons that change the shape of a form: the server sends the form anew.
const SHAPE = /^(add|remove|type|show|load):/;

async function reshape(form, button) {
  const data = new URLSearchParams(new FormData(form));
  data.append(button.name, button.value);
  form.setAttribute("aria-busy", "true");
  let changed = null;
  try {
    const response = await fetch(form.action, { method: "POST", body: data, redirect: "error" });
    changed = parsed(await response.text()).getElementById(form.id);
  } catch { /* The form is sent as without a script. */ }
  if (!changed) {
    const field = document.createElement("input");
    field.type = "hidden"; field.name = button.name; field.value = button.value;
    form.append(field);
    form.submit();
    return;
  }
  const [what, at] = [button.value.split(":", 1)[0], button.value.slice(button.value.indexOf(":") + 1)];
  const open = new Set([...form.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
  form.replaceWith(changed);
  for (const summary of changed.querySelectorAll("details > summary")) {
    if (open.has(summary.textContent)) summary.parentElement.open = true;
  }
  const id = "p" + at.replace(/\s/g, "_");
  const rows = [...changed.querySelectorAll("fieldset.row")].filter((row) => row.id.startsWith(id + "/"));
  const group = document.getElementById(what === "remove" ? id.slice(0, id.lastIndexOf("/")) : id);
  const target = what === "add" ? rows.at(-1)?.querySelector("input:not([type=hidden]), select, textarea")
    : what === "show" ? document.getElementById(id + "-kind") : group;
  (target || group || changed.querySelector("button.first"))?.focus();
}

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button && button.name === "do" && SHAPE.test(button.value)) {
    event.preventDefault();
    reshape(event.target, button);
  } else if (button) {
    // A second click while the first is under way does nothing.
    setTimeout(() => { button.disabled = true; });
  }
});

// A browser that goes back shows a page as it was left.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button:disabled")) button.disabled = false;
});

document.addEventListener("change", (event) => {
  if (!("change" in event.target.dataset)) return;
  event.target.parentElement.querySelector("button")?.click();
});

// What is wrong with a form is said first.
document.getElementById("problems")?.focus();

async function watch(place) {
  const response = await fetch(place.dataset.stream);
  if (!response.ok) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const { append, replace, html, end, reload } = JSON.parse(line);
      if (reload) return location.reload();
      if (end) return place.querySelector(".head form")?.remove();
      const into = document.getElementById(append || replace);
      const nodes = [...parsed(html).body.childNodes];
      if (append) into.append(...nodes); else into.replaceChildren(...nodes);
    }
  }
}
for (const place of document.querySelectorAll("[data-stream]")) watch(place);
