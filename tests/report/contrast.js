// Finds text whose contrast with what lies behind it is below WCAG's AA: 4.5, or 3 for large text.
// Returns [how many texts were checked, descriptions of the poor ones].
const parse = (colour) => {
  const srgb = colour.match(/^color\(srgb ([^)]+)\)$/);
  if (srgb) {
    const [r, g, b, a = 1] = srgb[1].split(/[\s/]+/).map(Number);
    return [255 * r, 255 * g, 255 * b, a];
  }
  const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number);
  return [r, g, b, a];
};
const over = ([r, g, b, a], [R, G, B]) => [a * r + (1 - a) * R, a * g + (1 - a) * G, a * b + (1 - a) * B, 1];
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const contrast = (one, other) => {
  const [high, low] = [luminance(one), luminance(other)].sort((p, q) => q - p);
  return (high + 0.05) / (low + 0.05);
};
const paper = (element) => {
  const chain = [];
  for (let e = element; e; e = e.parentElement) chain.unshift(parse(getComputedStyle(e).backgroundColor));
  return chain.reduce((below, colour) => over(colour, below), [255, 255, 255, 1]);
};
// A cell's text lies on the cell of its heat map, which comes before it in the drawing.
const cell = (text) => {
  const svg = text.ownerSVGElement;
  const { left, right, top, bottom } = text.getBoundingClientRect();
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return [...svg.querySelectorAll(".mark-rect path[fill^='var(--ramp']")].find((rect) => {
    const box = rect.getBoundingClientRect();
    return box.left <= x && x <= box.right && box.top <= y && y <= box.bottom;
  });
};

let checked = 0;
const poor = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest("script, style, .unseen, .skip, #tooltip")) continue;
  if (!element.checkVisibility() || element.getClientRects().length === 0) continue;
  const style = getComputedStyle(element);
  const inChart = element.ownerSVGElement && element.closest(".chart");
  if (inChart && element.getAttribute("opacity") === "0") continue; // a label that Vega hid, since it overlaps another
  const under = inChart ? cell(element) : null;
  const behind = under ? over(parse(getComputedStyle(under).fill), paper(element)) : paper(element);
  const ink = over(parse(inChart ? style.fill : style.color), behind);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const ratio = contrast(ink, behind);
  checked += 1;
  if (ratio < (large ? 3 : 4.5)) {
    poor.add(`${ratio.toFixed(2)} ${element.tagName}.${element.getAttribute("class")} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
}
return [checked, [...poor]];
