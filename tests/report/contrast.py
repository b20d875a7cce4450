"""Contrast as WCAG 2.2 has it: of text on a page in a browser, and of colours by themselves."""

from __future__ import annotations

POOR_CONTRAST = """
const parse = text => {
  const [red, green, blue, alpha = 1] = text.match(/[\\d.]+/g).map(Number);
  return {red, green, blue, alpha};
};
const over = (top, ground) => Object.fromEntries(['red', 'green', 'blue'].map(
  name => [name, top[name] * top.alpha + ground[name] * (1 - top.alpha)]));
const luminance = colour => {
  const [red, green, blue] = [colour.red, colour.green, colour.blue].map(
    value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const groundOf = element => {
  const layers = [];
  for (let each = element; each; each = each.parentElement) layers.unshift(parse(getComputedStyle(each).backgroundColor));
  return layers.reduce((ground, layer) => over(layer, ground), {red: 255, green: 255, blue: 255});
};
const opacityOf = element => {
  let opacity = 1;
  for (let each = element; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
  return opacity;
};
const poor = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const done = new Set();
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const text = walker.currentNode.textContent.trim();
  if (!text || done.has(element) || element.closest('.sr, script, style, title, .skip, .tip')) continue;
  done.add(element);
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  if (!box.width || !box.height || style.visibility === 'hidden') continue;
  const ground = groundOf(element);
  const ink = parse(element instanceof SVGElement ? style.fill : style.color);
  ink.alpha *= opacityOf(element);
  const [light, dark] = [luminance(over(ink, ground)), luminance(ground)].sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const name = `${element.tagName}.${element.getAttribute('class')}`;
  if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${name} ${text.slice(0, 40)}`);
}
return poor;
"""
"""A script that gives the texts of a page whose contrast is too low."""


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, 0 to 1."""
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def linear(colour: str) -> list[float]:
    """``#rrggbb`` as linear light, 0 to 1 each; ``#rgb`` too."""
    text = colour.removeprefix("#")
    text = "".join(char * 2 for char in text) if len(text) == 3 else text
    parts = [int(text[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
