import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/*
 * The colours of the charts, as people see them of whom one in twelve men sees no red or no green. Simulation: Machado,
 * Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), table 1 for
 * the severity 1.0. Distances are those of OKLab (Ottosson, 2020), times a hundred.
 */

type Three = [number, number, number];

const VISIONS: Record<string, [Three, Three, Three]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

const css = readFileSync(new URL('../../../src/hub/pages/assets/colours.css', import.meta.url), 'utf8');
/** A colour of the style sheet in light and dark. */
function colour(name: string, scheme: 'light' | 'dark'): Three {
  const [, light, dark] = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(css) ?? [];
  const hex = (scheme === 'light' ? light : dark) ?? '';
  return [1, 3, 5].map((at) => linear(Number.parseInt(hex.slice(at, at + 2), 16) / 255)) as Three;
}

const linear = (part: number): number => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
const by = (rows: [Three, Three, Three], [x, y, z]: Three): Three => rows.map(([a, b, c]) => a * x + b * y + c * z) as Three;

function oklab(rgb: Three): Three {
  const cone = by(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb,
  ).map((part) => Math.cbrt(Math.max(0, part))) as Three;
  return by(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cone,
  );
}

const light = ([r, g, b]: Three): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;

describe.each(['light', 'dark'] as const)('the colours of charts, %s', (scheme) => {
  const all = Array.from({ length: 8 }, (_, i) => colour(`c${i}`, scheme));

  it.each(Object.keys(VISIONS))('are told apart: %s', (vision) => {
    const seen = all.map((one) => oklab(by(VISIONS[vision]!, one)));
    for (let i = 0; i < seen.length; i++)
      for (let j = i + 1; j < seen.length; j++) {
        const apart = 100 * Math.hypot(...seen[i]!.map((part, k) => part - seen[j]![k]!));
        expect(apart, `c${i} and c${j}`).toBeGreaterThan(j < 4 ? 10 : 5);
      }
  });

  it('stand out from what they are drawn on by 3 : 1 (WCAG 2.2, 1.4.11)', () => {
    const ground = light(colour('surface', scheme));
    for (const [i, one] of all.entries()) {
      const [a, b] = [light(one), ground].sort((x, y) => y - x) as [number, number];
      expect((a + 0.05) / (b + 0.05), `c${i}`).toBeGreaterThan(3);
    }
  });
});
