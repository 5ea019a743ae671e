// Lists what is wrong with a page for people who do not use a mouse, a large screen, or their eyes.
const wrong = [];
const name = (element) => {
  const label = element.labels && element.labels.length ? element.labels[0].textContent : "";
  const named = (element.getAttribute("aria-labelledby") || "").split(" ").filter(Boolean)
    .map((id) => document.getElementById(id)?.textContent || "").join(" ");
  return (element.getAttribute("aria-label") || named || label || element.textContent || "").trim();
};
const shown = (element) => element.checkVisibility();
for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href], summary")) {
  if (!name(control) && shown(control)) wrong.push("no name: " + control.outerHTML.slice(0, 120));
}
for (const group of document.querySelectorAll("fieldset")) {
  if (!group.querySelector(":scope > legend")) wrong.push("no legend: " + group.id);
}
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push("id twice: " + id);
for (const element of document.querySelectorAll("[aria-describedby], [for]")) {
  const all = (element.getAttribute("aria-describedby") || "") + " " + (element.getAttribute("for") || "");
  for (const id of all.split(" ").filter(Boolean)) if (!document.getElementById(id)) wrong.push("leads nowhere: " + id);
}
for (const landmark of ["main", "header", "h1"]) {
  if (document.querySelectorAll(landmark).length !== 1) wrong.push("not exactly one " + landmark);
}
let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) wrong.push("a level is left out before: " + heading.textContent);
  level = own;
}
// WCAG 2.2, success criterion 1.4.3: 4.5 to 1 for text.
const color = (text) => {
  const parts = text.match(/[\d.]+/g).map(Number);
  return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((part) => part / 255).map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const found = color(getComputedStyle(at).backgroundColor);
    if (found.alpha === 1) return found.rgb;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const seen = new Set();
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.textContent.trim() || seen.has(element) || !shown(element) || element.closest("script, .hidden, .skip, option")) continue;
  seen.add(element);
  const [one, other] = [luminance(color(getComputedStyle(element).color).rgb), luminance(behind(element))];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < 4.5) wrong.push("contrast " + contrast.toFixed(2) + ": " + node.textContent.trim().slice(0, 60));
}
return wrong;
