/** Oracle of pooling over sites: a dense volume, window by window. */
import { indices, place, type Volume } from './conv.js';

/** Pools a volume window by window: all cells of the window inside the grid, and whether a site is there. */
export function poolVolume(
  v: Volume,
  size: number,
  stride: number,
  padding: number,
  of: (cells: { value: number; active: boolean }[]) => number | null,
) {
  const shape = v.shape.map((n) => Math.floor((n + 2 * padding - size) / stride) + 1);
  const result: number[] = [];
  for (const [batch = 0, ...o] of indices([v.batch, ...shape])) {
    const sites: number[] = [];
    for (const r of indices(v.shape.map(() => size))) {
      const i = o.map((n, a) => n * stride - padding + (r[a] as number));
      if (i.every((n, a) => n >= 0 && n < (v.shape[a] as number))) sites.push(place([v.batch, ...v.shape], [batch, ...i]));
    }
    for (let c = 0; c < v.channels; c++) {
      const value = of(sites.map((s) => ({ value: v.data[s * v.channels + c] as number, active: v.active[s] as boolean })));
      if (value !== null) result.push(value);
    }
  }
  return result;
}
